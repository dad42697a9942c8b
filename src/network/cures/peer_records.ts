/**
 * libp2p's peer store, in memory, keeps a record of each peer that was ever identified, 6 to 20 kB with the slab of memory
 * that its bytes lie in, and drops an old one only when that very peer is looked up: 64 new identities a second fill a
 * gigabyte in an hour or two. Here those of peers that left are bounded in number, and each keeps its own bytes alone.
 */
import { CodedError } from "../../base/errors.ts";
import type { Cure } from "./cure.ts";

/** Some 1 to 10 kB each, beside those of connected peers and of the node itself; what was written longest ago goes. */
export const MAX_PEER_RECORDS = 1024;

/** Of datastore-core's `MemoryDatastore`, which libp2p makes where it is given no other. */
interface Datastore {
  /** By the text of the key: `/peers/` and the peer id as a CID. */
  readonly data: Map<string, Uint8Array>;
  put(key: { toString(): string }, value: Uint8Array, options?: unknown): unknown;
}

export const peerRecordsCure: Cure = {
  name: "peer_records",
  install({ libp2p }) {
    const datastore = (libp2p as unknown as { components?: { datastore?: Datastore } }).components?.datastore;
    if (!(datastore?.data instanceof Map) || datastore.put?.length !== 3) {
      throw new CodedError("LIBRARY_CHANGED", "libp2p no longer keeps its peers in a memory datastore");
    }
    const { data } = datastore;
    const put = datastore.put.bind(datastore);
    datastore.put = (key, value, options) => {
      const text = key.toString();
      data.delete(text);
      put(key, Uint8Array.from(value), options);
      if (data.size > MAX_PEER_RECORDS) forgetOldest(text);
      return key;
    };

    function forgetOldest(newest: string): void {
      const kept = new Set([libp2p.peerId, ...libp2p.getPeers()].map((peerId) => `/peers/${peerId.toCID()}`));
      for (const key of data.keys()) {
        if (key === newest || kept.has(key)) continue;
        data.delete(key);
        return;
      }
    }
  },
};
