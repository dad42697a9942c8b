/**
 * gossipsub: a second inbound stream of a peer does not end the first, which is still read.
 *
 * "replacing existing inbound stream" closes the first for writing alone; its reader goes on. A peer may have 32 at once (the
 * default of `maxInboundStreams`), each with a frame of `maxInboundDataLength` under way.
 *
 * Fix: abort the one that is replaced.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode();
let heard = 0;
node.services.pubsub.addEventListener("message", () => void heard++);
const peer = await startRaw();
const { connection } = await peer.connect(node);
await connection.newStream("/meshsub/1.1.0");
await waitFor(() => false, 300);
// On the first stream.
peer.send({ messages: [{ topic: TOPIC, data: Buffer.from("x") }] });
await waitFor(() => heard > 0, 1000);
conclude(heard === 1, `messages heard on the stream that was replaced: ${heard}`);
