/**
 * @libp2p/utils: reading a length never ends, and takes quadratic time.
 *
 * `lpStream.read` reads a varint byte by byte. While it is unfinished the decoder throws a RangeError, and the loop
 * `continue`s before it looks at `maxLengthLength`; each byte has the growing list decoded anew. multistream-select reads so,
 * before a peer has even named itself: one TCP connection that sends 64 KiB of 0xff takes some 150 ms of CPU.
 *
 * Fix: look at `maxLengthLength` first (with a default of 8 bytes), in the catch branch too.
 */
import { connect } from "node:net";
import { conclude, sleep, startNode } from "./lab.ts";

const CONNECTIONS = 4;
const node = await startNode();
await sleep(500);
const port = Number(node.getMultiaddrs()[0]?.toString().split("/")[4]);
const before = process.cpuUsage();
let closed = 0;
for (let i = 0; i < CONNECTIONS; i++) {
  const socket = connect(port, "127.0.0.1", () => socket.write(new Uint8Array(65_536).fill(0xff)));
  socket.on("close", () => closed++).on("error", () => {});
}
await sleep(2000);
const { user } = process.cpuUsage(before);
const cpuMs = Math.round(user / 1000 / CONNECTIONS);
conclude(
  cpuMs > 30 && closed < CONNECTIONS,
  `${cpuMs} ms of CPU for each connection of 64 KiB; closed: ${closed} of ${CONNECTIONS}`,
);
