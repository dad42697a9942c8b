import type { MessageStream } from "@libp2p/interface";

/** What libp2p's streams take and give: an array, or a list of arrays. */
export type Bytes = Parameters<MessageStream["send"]>[0];

/** Copies only where it must. */
export function contiguous(bytes: Bytes): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : bytes.subarray();
}
