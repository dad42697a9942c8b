/** Gossip data as it comes off the wire: a snappy block, its declared length judged before anything is decompressed. */
import type { Type } from "@chainsafe/ssz";
import { CodedError } from "../base/errors.ts";
import { deserializeExact } from "../spec/exact.ts";
import { decompressSnappyBlock, readDeclaredSize } from "../validation/snappy_block.ts";

/** @spec phase0/p2p-interface.md#configuration */
const MAX_PAYLOAD_SIZE_BYTES = 10 * 1024 * 1024;

export type WireFault = "BAD_SNAPPY" | "WRONG_LENGTH" | "BAD_SSZ" | "UINT64_TOO_LARGE";

/** The data, or why the bytes are none: a fault that no honest peer forwards. */
export function uncompress(
  wireData: Uint8Array,
  minBytes: number,
  maxBytes = MAX_PAYLOAD_SIZE_BYTES,
): Uint8Array | WireFault {
  const size = readDeclaredSize(wireData);
  if (size === null) return "BAD_SNAPPY";
  if (size < minBytes || size > maxBytes) return "WRONG_LENGTH";
  const data = decompressSnappyBlock(wireData);
  return data?.length === size ? data : "BAD_SNAPPY";
}

export function deserialize<T>(type: Type<T>, ssz: Uint8Array): T | WireFault {
  try {
    // Never a Buffer: what the library slices off one would share its memory, and be a Buffer again.
    return deserializeExact(type, new Uint8Array(ssz.buffer, ssz.byteOffset, ssz.byteLength));
  } catch (error) {
    if (error instanceof CodedError && error.code === "UINT64_TOO_LARGE") return "UINT64_TOO_LARGE";
    return "BAD_SSZ";
  }
}
