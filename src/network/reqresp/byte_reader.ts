/** Reads a libp2p stream by exact lengths, holding back a peer that sends more than is asked for. */
import type { Stream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";

/** Bytes that may lie unread before the stream is paused, and the peer's send window fills. */
const HIGH_WATER_BYTES = 256 * 1024;

export interface ByteReader {
  /** Exactly `length` bytes. Throws `BAD_RESPONSE`-class errors: `STREAM_ENDED` where the peer sends fewer. */
  read(length: number): Promise<Uint8Array>;
  /** The next byte, or null at a clean end. */
  readByteOrEnd(): Promise<number | null>;
  /** An unsigned LEB128 of at most `maxBytes` bytes, or null where it is none. */
  readVarint(maxBytes: number): Promise<number | null>;
  release(): void;
}

export function createByteReader(stream: Stream): ByteReader {
  let chunks: Uint8Array[] = [];
  let available = 0;
  let closed = false;
  let failure: Error | null = null;
  let wake: (() => void) | null = null;

  const changed = () => {
    wake?.();
    wake = null;
  };
  const onMessage = (event: { data: { subarray(): Uint8Array } }) => {
    const data = event.data.subarray();
    chunks.push(data);
    available += data.length;
    if (available > HIGH_WATER_BYTES && stream.readStatus === "readable") stream.pause();
    changed();
  };
  const onClose = (event: { error?: Error }) => {
    closed = true;
    failure = event.error ?? null;
    changed();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("end", changed);
  stream.addEventListener("close", onClose);

  /** Whether `length` bytes are there; false at the end of the stream. */
  async function fill(length: number): Promise<boolean> {
    while (available < length) {
      // A stream may have "ended" with bytes still in it: those that came together with the protocol's negotiation and
      // the end are put back by libp2p, which has told of the end by then.
      if ((closed || stream.readableEnded) && stream.readBufferLength === 0) {
        if (failure !== null) throw new CodedError("STREAM_FAILED", "The peer reset the stream", {}, failure);
        return false;
      }
      if (stream.readStatus === "paused") stream.resume();
      if (available >= length) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return true;
  }

  function take(length: number): Uint8Array {
    const all = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
    chunks = all.length > length ? [all.subarray(length)] : [];
    available -= length;
    return all.subarray(0, length);
  }

  async function read(length: number): Promise<Uint8Array> {
    if (!(await fill(length))) throw new CodedError("STREAM_ENDED", "The peer sent less than it announced");
    return take(length);
  }

  return {
    read,
    readByteOrEnd: async () => ((await fill(1)) ? (take(1)[0] as number) : null),
    async readVarint(maxBytes) {
      let value = 0;
      for (let i = 0; i < maxBytes; i++) {
        const byte = (await read(1))[0] as number;
        value += (byte & 0x7f) * 2 ** (7 * i);
        if (byte < 0x80) return value;
      }
      return null;
    },
    release() {
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("end", changed);
      stream.removeEventListener("close", onClose);
    },
  };
}
