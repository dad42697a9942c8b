/**
 * gossipsub: under StrictNoSign a message with a `from` field is accepted and forwarded as it came.
 *
 * `validateToRawMessage` checks `signature`, `seqno` and `key` (which it reports as `FromPresent`), but not `from`. go and
 * rust refuse what is relayed ("unexpected auth info") and score the honest relay down.
 *
 * Fix: `if (msg.from != null) return { valid: false, error: ValidateError.FromPresent }`.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode();
const [sender, receiver] = [await startRaw(), await startRaw()];
await sender.connect(node);
await receiver.connect(node);
await waitFor(() => node.services.pubsub.getMeshPeers(TOPIC).includes(receiver.id));
sender.send({ messages: [{ topic: TOPIC, data: Buffer.from("x"), from: Buffer.from("somebody") }] });
const relayed = () => receiver.received.flatMap(({ messages }) => messages).find(({ from }) => from !== undefined);
await waitFor(() => relayed() !== undefined, 1000);
conclude(relayed() !== undefined, `a message with a from field was ${relayed() === undefined ? "not " : ""}relayed`);
