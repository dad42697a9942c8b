/**
 * Noise whose streams send past their buffers (`direct_send.ts`) and find the end of what has come without an exception:
 * the library's length decoder throws where fewer than two bytes are left, that is after each chunk, and an error with its
 * stack is 4 % of what a relay does at 500 messages a second.
 * @spec libp2p/specs noise/README.md#wire-format
 */
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import type { Bytes } from "./bytes.ts";
import { sendDirectly } from "./direct_send.ts";

/** What noise's stream has beside its interface. */
type WithDecoder = { decoder?: { lengthDecoder?: (bytes: Bytes) => number } };

/** More than fits: the decoder waits for it. */
const UNKNOWN_LENGTH = 0xffff;

function decodeLength(bytes: Bytes): number {
  if (bytes.byteLength < 2) return UNKNOWN_LENGTH;
  if (bytes instanceof Uint8Array) return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  return bytes.getUint16(0);
}

function prepare<T extends { readonly connection: MessageStream }>(secured: T): T {
  const { decoder } = secured.connection as WithDecoder;
  if (typeof decoder?.lengthDecoder !== "function") {
    throw new CodedError("LIBRARY_CHANGED", "noise's streams no longer have a decoder with its length decoder", {});
  }
  decoder.lengthDecoder = decodeLength;
  sendDirectly(secured.connection);
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
