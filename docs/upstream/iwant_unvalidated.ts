/**
 * gossipsub: IWANT is answered with messages that the application has not validated.
 *
 * With `asyncValidation` a message goes into the message cache as it comes (`mcache.put(…, validated = false)`), and
 * `handleIWant` → `mcache.getWithIWantCount` never looks at `validated`. Anybody can compute a message's id, so an
 * attacker's second peer fetches invalid messages from an honest node before, or instead of, its verdict.
 *
 * Fix: in `handleIWant` treat an entry with `validated === false` as not there.
 */
import { createHash } from "node:crypto";
import { conclude, controlRpc, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode({ asyncValidation: true });
const [sender, accomplice] = [await startRaw(), await startRaw([])];
await sender.connect(node);
await accomplice.connect(node);

const data = Buffer.from("never validated");
sender.send({ messages: [{ topic: TOPIC, data }] });
// The library's default id under StrictNoSign.
const id = createHash("sha256").update(data).digest();
const served = await waitFor(() => {
  accomplice.send(controlRpc({ iwant: [{ messageIDs: [id] }] }));
  return accomplice.received.some(({ messages }) => messages.length > 0);
}, 1000);
conclude(served, served ? "a message was served that no verdict was given on" : "nothing was served");
