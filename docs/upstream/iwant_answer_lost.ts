/**
 * gossipsub: an answer to IWANT above 4 MiB is lost, and what rust-libp2p hangs up on is sent.
 *
 * `handleReceivedRpc` answers an IWANT, of up to 5000 ids, with one RPC. `encode.single` of it-length-prefixed throws above its
 * `maxDataLength` of 4 MiB, `sendRpc` logs that, and the peer, who has a promise broken, gets none of the messages. Below that,
 * rust-libp2p's gossipsub 0.50 closes the stream on more than `max_publish_messages` in an RPC (Lighthouse: 500) and on more
 * than `max_control_message_size` of control messages (16 KiB: 744 ids of an IHAVE or IWANT), and gossipsub opens no other.
 *
 * Fix: `sendRpc` cuts an RPC into several, by bytes and by counts.
 */
import { createHash } from "node:crypto";
import { conclude, controlRpc, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const COUNT = 5;
const node = await startNode({ mcacheLength: 100 });
const peer = await startRaw([]);
await peer.connect(node);
const messages = Array.from({ length: COUNT }, (_, i) => new Uint8Array(1024 * 1024 - 1024).fill(i));
for (const message of messages) await node.services.pubsub.publish(TOPIC, message);
const ids = messages.map((message) => createHash("sha256").update(message).digest());
const received = () => peer.received.flatMap((rpc) => rpc.messages).length;

peer.send(controlRpc({ iwant: [{ messageIDs: ids }] }));
await waitFor(() => received() === COUNT, 1000);
const together = received();
for (const id of ids) peer.send(controlRpc({ iwant: [{ messageIDs: [id] }] }));
await waitFor(() => received() === together + COUNT);
const alone = received() - together;
conclude(together === 0 && alone === COUNT, `of ${COUNT} messages: ${together} asked for together, ${alone} alone`);
