/**
 * multistream-select reads the length of a line byte by byte, and js-libp2p never ends that: while the number goes on it
 * looks at no limit, and decodes all of it anew for each byte. 64 KiB of 0xff cost 145 ms of CPU, before a peer has
 * even named itself (`docs/upstream/endless_varint.ts`). Here a negotiation is followed on its way in, and ended there.
 */
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import { CodedError } from "../../base/errors.ts";

const HEADER = "/multistream/1.0.0";
const REFUSAL = "na";
/** Its answer has a length of the same kind, read in the same way; its message has 8 KiB at most. */
const IDENTIFY = "/ipfs/id/";
/** js-libp2p takes lines of 1 KiB at most: two bytes of length. */
const MAX_LENGTH_BYTES = 2;
const MAX_LINE_BYTES = 1024;
/** A peer asks for a protocol in a version or two, and yamux beside mplex. */
const MAX_LINES = 32;

type Bytes = Uint8Array | Iterable<Uint8Array>;
/** What `AbstractMessageStream` has beside its interface. */
type Inner = { readonly readBuffer: Uint8ArrayList; onData(data: Bytes): void };

/**
 * Follows what has come and comes in on `stream` until the line that agrees on a protocol. `isAgreed` knows that line, without
 * its line end; `onBad` must end the stream. Some has come: rust-libp2p sends the muxer's name right behind noise's last message.
 */
export function watchNegotiation(stream: MessageStream, isAgreed: (line: string) => boolean, onBad: () => void): void {
  const inner = stream as unknown as Inner;
  if (typeof inner.onData !== "function" || !(inner.readBuffer instanceof Uint8ArrayList)) {
    throw new CodedError("LIBRARY_CHANGED", "libp2p's streams no longer have onData and readBuffer", {});
  }
  const reader = new LineReader(isAgreed);
  for (const part of inner.readBuffer) reader.read(part);
  if (reader.state === "bad") onBad();
  if (reader.state !== "reading") return;
  const onData = inner.onData.bind(stream);
  inner.onData = (data) => {
    for (const part of data instanceof Uint8Array ? [data] : data) reader.read(part);
    if (reader.state === "bad") {
      onBad();
      return;
    }
    // The class's own again.
    if (reader.state === "agreed") Reflect.deleteProperty(inner, "onData");
    onData(data);
  };
}

/** The answers to a negotiation of ours: the first line that is neither greeting nor refusal agrees. */
export function isAnswer(line: string): boolean {
  return line !== HEADER && line !== REFUSAL;
}

class LineReader {
  state: "reading" | "agreed" | "bad" = "reading";
  readonly #isAgreed: (line: string) => boolean;
  #lines = 0;
  #line = "";
  #lengthBytes = 0;
  #length = 0;
  #isInLine = false;
  #isAnswerNext = false;

  constructor(isAgreed: (line: string) => boolean) {
    this.#isAgreed = isAgreed;
  }

  read(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (this.state !== "reading") return;
      if (this.#isInLine) this.#readLineByte(byte);
      else this.#readLengthByte(byte);
    }
  }

  #readLengthByte(byte: number): void {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes++);
    const isTooLong = byte >= 0x80 && this.#lengthBytes === MAX_LENGTH_BYTES;
    if (this.#isAnswerNext) {
      if (isTooLong) this.state = "bad";
      else if (byte < 0x80) this.state = "agreed";
      return;
    }
    if (byte < 0x80) this.#isInLine = this.#length > 0;
    if (isTooLong || this.#length > MAX_LINE_BYTES || (byte < 0x80 && this.#length === 0)) this.state = "bad";
  }

  #readLineByte(byte: number): void {
    this.#line += String.fromCharCode(byte);
    if (this.#line.length < this.#length) return;
    if (this.#isAgreed(this.#line.trimEnd())) this.#agree();
    else if (++this.#lines > MAX_LINES) this.state = "bad";
    this.#line = "";
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#isInLine = false;
  }

  #agree(): void {
    this.#isAnswerNext = this.#line.startsWith(IDENTIFY) && this.#isAgreed === isAnswer;
    if (!this.#isAnswerNext) this.state = "agreed";
  }
}

type EncrypterFactory<Components> = (components: Components) => ConnectionEncrypter;

/** Follows the negotiation of a muxer inside the encrypted connection, where noise has not settled it. */
export function watchEncrypted<Components>(factory: EncrypterFactory<Components>): EncrypterFactory<Components> {
  return (components) => {
    const inner = factory(components);
    for (const method of ["secureInbound", "secureOutbound"] as const) {
      const secure = inner[method].bind(inner);
      inner[method] = async (stream, options) => {
        const secured = await secure(stream, options);
        const { connection, streamMuxer } = secured;
        if (streamMuxer === undefined) {
          const isAgreed = (line: string) => line === "/yamux/1.0.0" || line === "/mplex/6.7.0";
          watchNegotiation(connection, isAgreed, () => connection.abort(new Error("bad negotiation")));
        }
        return secured;
      };
    }
    return inner;
  };
}
