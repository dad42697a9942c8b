/**
 * Requests and response chunks as they stand on a stream: `<length varint><snappy frames>`, a response chunk
 * after its result byte and context.
 * @spec phase0/p2p-interface.md#requesting-side
 */
import type { Stream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import type { ByteReader } from "./byte_reader.ts";
import type { Protocol, SizeRange } from "./protocols.ts";
import { decodeFrames, encodeFrames } from "./snappy_frames.ts";

export const RESULT_SUCCESS = 0;
export const RESULT_INVALID_REQUEST = 1;
export const RESULT_SERVER_ERROR = 2;
/** Not in the specification's range, but what the clients send. */
export const RESULT_RATE_LIMITED = 139;

const CONTEXT_SIZE = 4;
const MAX_ERROR_MESSAGE_BYTES = 256;
const MAX_VARINT_BYTES = 10;

export interface ResponseChunk {
  /** Empty where the protocol has none. */
  readonly context: Uint8Array;
  readonly ssz: Uint8Array;
}

export function encodePayload(ssz: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint(ssz.length), encodeFrames(ssz)]);
}

export async function readPayload(reader: ByteReader, sizes: SizeRange): Promise<Uint8Array> {
  const size = await reader.readVarint(MAX_VARINT_BYTES);
  if (size === null || size < sizes.minBytes || size > sizes.maxBytes) {
    throw new CodedError("BAD_LENGTH", `A payload of ${sizes.minBytes} to ${sizes.maxBytes} bytes claims ${size}`);
  }
  return decodeFrames(reader, size);
}

export function encodeChunk({ context, ssz }: ResponseChunk): Uint8Array {
  return Buffer.concat([Uint8Array.of(RESULT_SUCCESS), context, encodePayload(ssz)]);
}

export function encodeError(result: number, message: string): Uint8Array {
  const text = Buffer.from(message, "utf8").subarray(0, MAX_ERROR_MESSAGE_BYTES);
  return Buffer.concat([Uint8Array.of(result), encodePayload(text)]);
}

/** The next chunk, or null at the end. Throws `PEER_REFUSED` with the peer's result and words where it answers so. */
export async function readChunk(reader: ByteReader, protocol: Protocol): Promise<ResponseChunk | null> {
  const result = await reader.readByteOrEnd();
  if (result === null) return null;
  if (result !== RESULT_SUCCESS) {
    const text = await readPayload(reader, { minBytes: 0, maxBytes: MAX_ERROR_MESSAGE_BYTES });
    // A stranger's words: kept printable, for the log.
    const reason = Buffer.from(text)
      .toString("latin1")
      .replace(/[^ -~]/g, "?");
    throw new CodedError("PEER_REFUSED", `The peer answered with error ${result}: ${reason}`, { result, reason });
  }
  const context = protocol.hasContext ? await reader.read(CONTEXT_SIZE) : new Uint8Array();
  return { context, ssz: await readPayload(reader, protocol.response) };
}

/** Sends, and waits while the peer reads slowly. */
export async function sendBytes(stream: Stream, data: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!stream.send(data)) await stream.onDrain({ signal });
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
