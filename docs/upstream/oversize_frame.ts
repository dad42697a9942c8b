/**
 * gossipsub: after a frame that is too large the peer is dropped, but its connection goes on swallowing bytes.
 *
 * The length decoder throws, `handlePeerReadStreamError` removes the peer, and `InboundStream.close` closes the write side
 * alone: the connection stays open, and the stream takes what the peer goes on sending. 853 MB in 4 s were measured.
 *
 * Fix: `rawStream.abort(err)` on a read error, and close the connection, or let the application know.
 */
import { conclude, sleep, startNode, startRaw, varint } from "./lab.ts";

const node = await startNode({ maxInboundDataLength: 1024 * 1024 });
const peer = await startRaw();
const { connection, stream } = await peer.connect(node);
peer.sendBytes(varint(2 ** 26));
await sleep(300);
let sentBytes = 0;
for (const end = Date.now() + 2000; Date.now() < end && stream.writeStatus === "writable"; ) {
  const chunk = new Uint8Array(256 * 1024);
  if (stream.send(chunk)) sentBytes += chunk.length;
  await sleep(1);
}
const isOpen = connection.status === "open";
conclude(isOpen && sentBytes > 2 ** 22, `connection ${connection.status}; bytes taken after it: ${sentBytes}`);
