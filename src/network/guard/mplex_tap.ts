/**
 * Follows the mplex frames of one connection, as `yamux_tap.ts` does yamux's. mplex is there because Ethereum's clients must
 * speak it; it has neither pings nor windows.
 * @spec libp2p/specs mplex/README.md#message-format
 */
import { FrameTap } from "./frame_tap.ts";
import { CRUMB_BYTES, type GuardKind } from "./limits.ts";

const NEW_STREAM = 0;
const MESSAGE_RECEIVER = 1;
const MESSAGE_INITIATOR = 2;
const RESET_INITIATOR = 6;
/** js-libp2p reads no longer ones, and no type above the last: it keeps what comes after them, up to 4 MiB, and waits. */
const MAX_VARINT_BYTES = 8;

function costOf(type: number, lengthBytes: number): GuardKind | null {
  if (type === NEW_STREAM) return "streams";
  if (type !== MESSAGE_RECEIVER && type !== MESSAGE_INITIATOR) return "muxerControl";
  return lengthBytes < CRUMB_BYTES ? "muxerCrumbs" : null;
}

export class MplexTap extends FrameTap {
  /** The frame's type, or null while its header is read. */
  #type: number | null = null;
  #value = 0;
  #varintBytes = 0;

  protected override readHeader(chunk: Uint8Array, offset: number): number | null {
    return this.#readByte(chunk[offset] as number) ? 1 : null;
  }

  /** Of a header, or of a length. */
  #readByte(byte: number): boolean {
    this.#value += (byte & 0x7f) * 2 ** (7 * this.#varintBytes++);
    if (byte >= 0x80) return this.#varintBytes < MAX_VARINT_BYTES || this.#fault();
    const value = this.#value;
    this.#value = 0;
    this.#varintBytes = 0;
    if (this.#type === null) {
      this.#type = value % 8;
      return this.#type <= RESET_INITIATOR || this.#fault();
    }
    const kind = costOf(this.#type, value);
    this.#type = null;
    return this.endHeader(value, kind);
  }

  #fault(): false {
    this.meter?.fault("BAD_MUXER_FRAME");
    return false;
  }
}
