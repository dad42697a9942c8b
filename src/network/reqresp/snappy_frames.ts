/**
 * Snappy's framing format, in which req/resp payloads travel.
 * @spec phase0/p2p-interface.md#ssz-snappy-encoding-strategy
 */
import { CodedError } from "../../base/errors.ts";
import { compressBlock, decompressBlock } from "../encoding.ts";
import type { ByteReader } from "./byte_reader.ts";
import { crc32c } from "./crc32c.ts";

const STREAM_IDENTIFIER = Buffer.from("ff060000734e61507059", "hex");
const MAX_FRAME_PAYLOAD_BYTES = 65536;
const CHECKSUM_BYTES = 4;

const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const FIRST_SKIPPABLE = 0x80;
const IDENTIFIER = 0xff;

/** How large snappy may make `size` bytes, frames' headers included. */
function maxFramedSize(size: number): number {
  const frames = Math.ceil(size / MAX_FRAME_PAYLOAD_BYTES);
  return STREAM_IDENTIFIER.length + frames * (4 + CHECKSUM_BYTES + 32) + size + Math.ceil(size / 6);
}

export function encodeFrames(payload: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [STREAM_IDENTIFIER];
  for (let offset = 0; offset < payload.length; offset += MAX_FRAME_PAYLOAD_BYTES) {
    const plain = payload.subarray(offset, offset + MAX_FRAME_PAYLOAD_BYTES);
    const compressed = compressBlock(plain);
    const shorter = compressed.length < plain.length;
    const body = shorter ? compressed : plain;
    const header = Buffer.alloc(4 + CHECKSUM_BYTES);
    header.writeUInt8(shorter ? COMPRESSED : UNCOMPRESSED, 0);
    header.writeUIntLE(body.length + CHECKSUM_BYTES, 1, 3);
    header.writeUInt32LE(maskedChecksum(plain), 4);
    parts.push(header, body);
  }
  return Buffer.concat(parts);
}

/** Reads frames until they hold `size` bytes. Throws `CodedError` `BAD_FRAMES` where they do not hold exactly that. */
export async function decodeFrames(reader: ByteReader, size: number): Promise<Uint8Array> {
  const payload = new Uint8Array(size);
  let filled = 0;
  // Padding and skippable frames count too, so that a peer cannot feed them for ever.
  let budget = maxFramedSize(size);
  let identified = false;
  while (filled < size) {
    const header = await reader.read(4);
    const type = header[0] as number;
    const length = (header[1] as number) + (header[2] as number) * 2 ** 8 + (header[3] as number) * 2 ** 16;
    budget -= 4 + length;
    if (budget < 0) throw badFrames("more bytes than the payload can need");
    const body = await reader.read(length);
    if (type === IDENTIFIER) {
      if (!STREAM_IDENTIFIER.subarray(4).equals(body)) throw badFrames("a wrong stream identifier");
      identified = true;
    } else if (!identified) {
      throw badFrames("no stream identifier");
    } else if (type === COMPRESSED || type === UNCOMPRESSED) {
      const plain = decodeFrame(type, body, Math.min(size - filled, MAX_FRAME_PAYLOAD_BYTES));
      payload.set(plain, filled);
      filled += plain.length;
    } else if (type < FIRST_SKIPPABLE) {
      throw badFrames("a reserved frame");
    }
  }
  return payload;
}

function decodeFrame(type: number, body: Uint8Array, maxSizeBytes: number): Uint8Array {
  if (body.length < CHECKSUM_BYTES) throw badFrames("a frame without a checksum");
  const data = body.subarray(CHECKSUM_BYTES);
  const plain = type === COMPRESSED ? decompressBlock(data, maxSizeBytes) : data;
  if (plain === null || plain.length > maxSizeBytes || plain.length === 0) throw badFrames("a frame of the wrong size");
  const checksum = Buffer.from(body.buffer, body.byteOffset, CHECKSUM_BYTES).readUInt32LE();
  if (checksum !== maskedChecksum(plain)) throw badFrames("a wrong checksum");
  return plain;
}

function maskedChecksum(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function badFrames(what: string): CodedError {
  return new CodedError("BAD_FRAMES", `The snappy frames hold ${what}`);
}
