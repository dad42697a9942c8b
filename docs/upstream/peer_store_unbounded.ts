/**
 * @libp2p/peer-store: records of peers that left are bounded neither in number nor, unless somebody looks, in time.
 *
 * Identify and each stream write a record of the peer. `#peerIsExpired` is asked only where that very peer is loaded, or all
 * are listed; new identities cost their maker nothing, and nobody looks up the old ones. In the memory datastore a record of
 * some 400 bytes also keeps alive the slab that its bytes were encoded into: 6 to 20 kB.
 *
 * Fix: an option for the largest number of records, where the oldest of a peer that is not connected goes; `MemoryDatastore.put`
 * copies its value.
 */
import { conclude, sleep, startNode, startRaw, waitFor } from "./lab.ts";

const COUNT = 12;
/** The library refuses more than 5 connections a second from one address. */
const PAUSE_MS = 250;
const node = await startNode();
let retainedBytes = 0;
for (let i = 0; i < COUNT; i++) {
  const peer = await startRaw([]);
  await peer.connect(node);
  await peer.libp2p.stop();
  await sleep(PAUSE_MS);
}
await waitFor(() => node.getPeers().length === 0);
type WithDatastore = { components: { datastore: { data: Map<string, Uint8Array> } } };
const { data } = (node as unknown as WithDatastore).components.datastore;
const slabs = new Map([...data.values()].map((record) => [record.buffer, record.buffer.byteLength]));
for (const sizeBytes of slabs.values()) retainedBytes += sizeBytes;
// The node's own is one of them.
const left = data.size - 1;
conclude(
  left === COUNT,
  `${left} records of ${COUNT} peers that left, in ${Math.round(retainedBytes / 1024)} KiB of memory`,
);
