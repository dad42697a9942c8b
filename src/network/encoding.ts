/**
 * Snappy blocks, in gossip and inside the frames of req/resp. Native snappy only: snappyjs 0.7.0 hangs for good on
 * seven bytes (`ec 08 fc fa ff ff ff`), and these bytes come from strangers.
 * @spec phase0/p2p-interface.md#encodings
 */
import { compressSync } from "snappy";
import { decompressSnappyBlock, readDeclaredSize } from "../validation/snappy_block.ts";

export function compressBlock(data: Uint8Array): Uint8Array {
  // Copied into V8's memory: buffers of the addon's own are freed only between turns of the event loop.
  return compressSync(data, { copyOutputData: true });
}

/** The payload, or null where the data is no snappy block or claims more than `maxSizeBytes`: a bomb costs nothing. */
export function decompressBlock(wireData: Uint8Array, maxSizeBytes: number): Uint8Array | null {
  const size = readDeclaredSize(wireData);
  if (size === null || size > maxSizeBytes) return null;
  const data = decompressSnappyBlock(wireData);
  return data?.length === size ? data : null;
}
