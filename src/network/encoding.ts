/**
 * Gossip payloads: SSZ in snappy block compression. Native snappy only: snappyjs 0.7.0 hangs for good on seven bytes
 * (`ec 08 fc fa ff ff ff`), and these bytes come from strangers.
 * @spec phase0/p2p-interface.md#encodings
 */
import { compressSync, uncompressSync } from "snappy";

/** Compresses SSZ bytes for gossip. */
export function compressBlock(ssz: Uint8Array): Uint8Array {
  return compressSync(ssz);
}

/** The uncompressed size that a snappy block claims, or null where its first bytes are no uint32 varint. */
export function declaredSize(wireData: Uint8Array): number | null {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = wireData[i];
    if (byte === undefined) return null;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return size < 2 ** 32 ? size : null;
  }
  return null;
}

/** The payload, or null where the data is no snappy block or claims more than `maxSizeBytes`: a bomb costs nothing. */
export function decompressBlock(wireData: Uint8Array, maxSizeBytes: number): Uint8Array | null {
  const size = declaredSize(wireData);
  if (size === null || size > maxSizeBytes) return null;
  try {
    const data = uncompressSync(wireData, { asBuffer: true }) as Buffer;
    return data.length === size ? data : null;
  } catch {
    return null;
  }
}
