/**
 * gossipsub: frames that do not decode, frames of no bytes, and messages on topics that are not allowed cost nothing.
 *
 * `pipePeerReadStream` logs the error of `decodeRpc` and goes on; `handleReceivedRpc` skips unknown topics ("TODO: Should
 * apply behaviour penalties?"). 10,000 such frames a second keep a node busy for as long as the peer likes.
 *
 * Fix: a behaviour penalty (P7) for each, and an option to reset the stream after some.
 */
import { conclude, sleep, startNode, startRaw } from "./lab.ts";

const node = await startNode({ allowedTopics: ["topic"] });
const peer = await startRaw();
const { connection } = await peer.connect(node);
for (let i = 0; i < 100; i++) {
  peer.sendBytes(Buffer.alloc(100));
  peer.sendBytes(Buffer.from("03ffffff".repeat(100), "hex"));
  peer.send({ messages: Array.from({ length: 100 }, () => ({ topic: "unknown", data: Buffer.from("x") })) });
}
await sleep(1500);
const score = node.services.pubsub.getScore(peer.id);
conclude(
  score === 0 && connection.status === "open",
  `score ${score}, connection ${connection.status} after 30,000 such`,
);
