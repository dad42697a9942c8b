/**
 * gossipsub: a verdict that comes later than `mcacheLength` heartbeats is lost without a word.
 *
 * `reportMessageValidationResult` finds no cache entry ("Ignoring forwarding") and returns as it does in success. The
 * message stays "seen", so no copy is ever forwarded either; a late REJECT costs nobody anything.
 *
 * Fix: return whether the verdict took effect, or keep unvalidated entries until a deadline of their own.
 */
import { TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { conclude, sleep, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode({ asyncValidation: true, mcacheLength: 3, mcacheGossip: 2 });
const [sender, receiver] = [await startRaw(), await startRaw()];
await sender.connect(node);
await receiver.connect(node);
await waitFor(() => node.services.pubsub.getMeshPeers(TOPIC).length === 2);
let id = "";
node.services.pubsub.addEventListener("gossipsub:message", ({ detail }) => {
  id = detail.msgId;
});
sender.send({ messages: [{ topic: TOPIC, data: Buffer.from("slow to judge") }] });
await waitFor(() => id !== "");
await sleep(1000);
const outcome = node.services.pubsub.reportMessageValidationResult(id, sender.id, TopicValidatorResult.Accept);
const forwarded = await waitFor(() => receiver.received.some(({ messages }) => messages.length > 0), 1000);
conclude(!forwarded && outcome === undefined, `forwarded: ${forwarded}; told the caller: ${outcome}`);
