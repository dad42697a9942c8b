/**
 * Noise whose messages go from the socket to the muxer, and back, by calls: no lists, events or generators in between
 * (`direct_receive.ts`, `direct_send.ts`), one buffer for each message that is sent, and no exception to find the end of what
 * has come, as the library's decoder throws after each chunk. Keys, nonces and the handshake stay the library's.
 * @spec libp2p/specs noise/README.md#wire-format
 */
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import { type Bytes, contiguous } from "./bytes.ts";
import { receiveDirectly } from "./direct_receive.ts";
import { sendDirectly } from "./direct_send.ts";
import { FrameCutter } from "./frame_cutter.ts";
import { sealedFrame } from "./noise_crypto.ts";
import { TAG_BYTES } from "./sodium.ts";

const LENGTH_BYTES = 2;
const MAX_PLAINTEXT_BYTES = 65_535 - TAG_BYTES;

/** What noise's stream has beside its interface. */
type EncryptedStream = MessageStream & {
  readonly stream: MessageStream;
  readonly handshake: {
    encrypt(plaintext: Uint8Array): Bytes;
    decrypt(ciphertext: Uint8Array, destination: Uint8Array): Bytes;
  };
  decoder: {
    readonly buffer?: { readonly byteLength: number; subarray(): Uint8Array };
    decode(data: Bytes): Iterable<never>;
  };
  onData(data: Bytes): void;
  sendData(data: Bytes): { sentBytes: number; canSendMore: boolean };
};

function asEncrypted(connection: MessageStream): EncryptedStream {
  const inner = connection as EncryptedStream;
  const functions = [
    inner.handshake?.encrypt,
    inner.handshake?.decrypt,
    inner.decoder?.decode,
    inner.decoder?.buffer?.subarray,
    inner.onData,
    inner.sendData,
    inner.stream?.send,
  ];
  if (!functions.every((member) => typeof member === "function")) {
    throw new CodedError(
      "LIBRARY_CHANGED",
      "noise's streams no longer have handshake, decoder, stream and sendData",
      {},
    );
  }
  return inner;
}

function decryptFrames(inner: EncryptedStream): void {
  const cutter = new FrameCutter({
    headerBytes: LENGTH_BYTES,
    frameBytes: (bytes, offset) => LENGTH_BYTES + (((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)),
    onFrame(bytes, start, end) {
      const from = start + LENGTH_BYTES;
      if (end === from) return;
      const to = end - TAG_BYTES;
      if (to < from) throw new Error("a noise message is shorter than its tag");
      // The plaintext may take the ciphertext's place: nobody else has these bytes.
      inner.onData(inner.handshake.decrypt(bytes.subarray(from, end), bytes.subarray(from, to)));
    },
  });
  const early = inner.decoder.buffer;
  inner.decoder = {
    decode(data) {
      if (data instanceof Uint8Array) cutter.push(data);
      else for (const part of data) cutter.push(part);
      return [];
    },
  };
  receiveDirectly(inner.stream, (bytes) => {
    try {
      cutter.push(bytes);
    } catch (error) {
      inner.abort(error as Error);
    }
    return true;
  });
  // Came between the handshake and this.
  if (early !== undefined && early.byteLength > 0) inner.decoder.decode(early.subarray());
}

function encryptFrames(inner: EncryptedStream): void {
  const sendData = inner.sendData.bind(inner);
  inner.sendData = (data) => {
    if (data.byteLength > MAX_PLAINTEXT_BYTES) return sendData(data);
    const frame = sealedFrame(contiguous(data), inner.handshake.encrypt);
    return { sentBytes: data.byteLength, canSendMore: inner.stream.send(frame) };
  };
  sendDirectly(inner);
}

function prepare<T extends { readonly connection: MessageStream }>(secured: T): T {
  const inner = asEncrypted(secured.connection);
  decryptFrames(inner);
  encryptFrames(inner);
  return secured;
}

export function leanNoise<Components, Extensions>(
  factory: (components: Components) => ConnectionEncrypter<Extensions>,
): (components: Components) => ConnectionEncrypter<Extensions> {
  return (components) => {
    const encrypter = factory(components);
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureInbound = async (connection, options) => prepare(await secureInbound(connection, options));
    encrypter.secureOutbound = async (connection, options) => prepare(await secureOutbound(connection, options));
    return encrypter;
  };
}
