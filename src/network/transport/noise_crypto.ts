/**
 * Noise's cipher, each size by the implementation that is fastest for it. CPU of an encryption on Node 26.10 by libsodium, by
 * OpenSSL, and by the library's WebAssembly: 24 bytes 0.6, 6.0 and 1.3 µs, 512 bytes 0.9, 5.5 and 6.3, 1200 bytes 1.7, 6.5 and 11.9,
 * 4 KiB 3.7, 7.8 and 39, 16 KiB 13.3, 13.5 and 150, 64 KiB 51, 40 and 541. What a call into OpenSSL costs below are the objects around it.
 * The library takes OpenSSL from 1200 bytes on, and makes one call for each piece of a list. OpenSSL's keys are imported once:
 * from raw bytes each message costs up to 13 µs more on Node 24.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { ICryptoInterface } from "@chainsafe/libp2p-noise";
import { asCrypto, defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import { Uint8ArrayList } from "uint8arraylist";
import { type Bytes, contiguous } from "./bytes.ts";
import { loadSodium, type Sodium, TAG_BYTES } from "./sodium.ts";

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES } as const;
/** Of plaintext, where libsodium is. */
const SODIUM_BELOW_BYTES = 16 * 1024;
/** Of plaintext, where it is not. */
const NATIVE_FROM_BYTES = 512;

/** A noise message's plaintext in one piece while it is encrypted: lists come from gathered writes, and memory is not cheap. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** Valid until the next call. */
function inOnePiece(bytes: Bytes): Uint8Array {
  if (bytes instanceof Uint8Array || bytes.byteLength > scratch.length) return contiguous(bytes);
  let end = 0;
  for (const part of bytes) {
    scratch.set(part, end);
    end += part.length;
  }
  return scratch.subarray(0, end);
}

const LENGTH_BYTES = 2;

/** Where the ciphertext is to be written whose length fits it, while a frame is made. */
let target: Uint8Array | null = null;

/**
 * A noise message behind its length, in one buffer. `encrypt` leads through the library, which holds key and nonce, to
 * the cipher; one that is not ours has its ciphertext copied.
 */
export function sealedFrame(plaintext: Uint8Array, encrypt: (plaintext: Uint8Array) => Bytes): Uint8Array {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + plaintext.length + TAG_BYTES);
  frame.writeUInt16BE(plaintext.length + TAG_BYTES);
  const body = frame.subarray(LENGTH_BYTES);
  target = body;
  try {
    const sealed = encrypt(plaintext);
    if (sealed !== body) body.set(contiguous(sealed));
  } finally {
    target = null;
  }
  return frame;
}

/** By the bytes that noise holds while the connection lives. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObject(key: Uint8Array): KeyObject {
  let found = keyObjects.get(key);
  if (found === undefined) {
    found = createSecretKey(key);
    keyObjects.set(key, found);
  }
  return found;
}

function encryptNatively(plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Bytes {
  const cipher = createCipheriv(ALGORITHM, keyObject(key), nonce, OPTIONS);
  if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength });
  const ciphertext = cipher.update(inOnePiece(plaintext));
  // A stream cipher keeps nothing back.
  cipher.final();
  const tag = cipher.getAuthTag();
  if (target?.length !== ciphertext.length + TAG_BYTES) return new Uint8ArrayList(ciphertext, tag);
  target.set(ciphertext);
  target.set(tag, ciphertext.length);
  return target;
}

/** Throws where the tag does not fit. */
function decryptNatively(ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Uint8Array {
  const bytes = contiguous(ciphertext);
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, keyObject(key), nonce, OPTIONS);
  if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: end });
  decipher.setAuthTag(bytes.subarray(end));
  const plaintext = decipher.update(bytes.subarray(0, end));
  decipher.final();
  return plaintext;
}

/** @param sodium null: the library's WebAssembly and OpenSSL take its place. */
export function createNoiseCrypto(sodium: Sodium | null): ICryptoInterface {
  return {
    ...defaultCrypto,

    chaCha20Poly1305Encrypt(plaintext, nonce, ad, key) {
      const size = plaintext.byteLength;
      if (sodium !== null && size < SODIUM_BELOW_BYTES) {
        const sealed = target?.length === size + TAG_BYTES ? target : Buffer.allocUnsafe(size + TAG_BYTES);
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, inOnePiece(plaintext), ad, null, nonce, key);
        return sealed;
      }
      if (size < NATIVE_FROM_BYTES) return asCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key);
      return encryptNatively(plaintext, nonce, ad, key);
    },

    chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst) {
      const size = ciphertext.byteLength - TAG_BYTES;
      if (sodium !== null && size >= 0 && size < SODIUM_BELOW_BYTES) {
        const plaintext = dst?.length === size ? dst : Buffer.allocUnsafe(size);
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, contiguous(ciphertext), ad, nonce, key);
        return plaintext;
      }
      if (size < NATIVE_FROM_BYTES) return asCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst);
      return decryptNatively(ciphertext, nonce, ad, key);
    },
  };
}

export const noiseCrypto = createNoiseCrypto(loadSodium());
