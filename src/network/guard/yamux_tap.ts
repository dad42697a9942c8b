/** Follows the yamux frames of one connection. @spec hashicorp/yamux spec.md#framing */
import { FrameTap } from "./frame_tap.ts";
import { CRUMB_BYTES, type GuardKind } from "./limits.ts";

const HEADER_BYTES = 12;
const DATA = 0;
const WINDOW_UPDATE = 1;
const FLAG_SYN = 1;

/** What a frame spends, or null where it spends nothing. */
function costOf(type: number, flags: number, lengthBytes: number): GuardKind | null {
  if (type !== DATA && type !== WINDOW_UPDATE) return "muxerPings";
  if ((flags & FLAG_SYN) !== 0) return "streams";
  if (type === WINDOW_UPDATE) return "muxerControl";
  return lengthBytes < CRUMB_BYTES ? "muxerCrumbs" : null;
}

export function isDataFrame(type: number | undefined): boolean {
  return type === DATA;
}

export class YamuxTap extends FrameTap {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;

  protected override readHeader(chunk: Uint8Array, offset: number): number | null {
    if (this.#headerBytes === 0 && offset + HEADER_BYTES <= chunk.length) {
      return this.#count(chunk, offset) ? HEADER_BYTES : null;
    }
    const part = chunk.subarray(offset, offset + HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes < HEADER_BYTES) return part.length;
    this.#headerBytes = 0;
    return this.#count(this.#header, 0) ? part.length : null;
  }

  #count(bytes: Uint8Array, at: number): boolean {
    const byte = (i: number) => bytes[at + i] ?? 0;
    const type = byte(1);
    const lengthBytes = ((byte(8) << 24) | (byte(9) << 16) | (byte(10) << 8) | byte(11)) >>> 0;
    const cost = costOf(type, (byte(2) << 8) | byte(3), lengthBytes);
    return this.endHeader(type === DATA ? lengthBytes : 0, cost);
  }
}
