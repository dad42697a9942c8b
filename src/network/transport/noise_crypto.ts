/**
 * Noise's cipher, each size by the implementation that is fastest for it. CPU of an encryption on Node 26.10, by vectors
 * (`simd_cipher.ts`), natively, and by the library's WebAssembly: 24 bytes 0.7, 5.8 and 1.3 µs, 512 bytes 1.3, 5.6 and 6.3,
 * 1200 bytes 2.5, 7.4 and 11.9, 4 KiB 8.4, 8.8 and 39, 16 KiB 30, 16 and 150. The library's own border to native is at 1200 bytes,
 * and it makes one native call for each piece of a list. Keys are imported once: from raw bytes each message costs up
 * to 13 µs more on Node 24.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { ICryptoInterface } from "@chainsafe/libp2p-noise";
import { asCrypto, defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import { Uint8ArrayList } from "uint8arraylist";
import { type Bytes, contiguous } from "./bytes.ts";
import { createSimdCipher, type SimdCipher, TAG_BYTES } from "./simd_cipher.ts";

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES } as const;
/** Of plaintext; without vectors. */
const NATIVE_FROM_BYTES = 512;
/** Of plaintext. */
const SIMD_BELOW_BYTES = 4096;

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

/** Only the handshake has associated data. `simd` null: the library's WebAssembly takes its place. */
export function createNoiseCrypto(simd: SimdCipher | null): ICryptoInterface {
  return {
    ...defaultCrypto,

    chaCha20Poly1305Encrypt(plaintext, nonce, ad, key) {
      const size = plaintext.byteLength;
      if (simd !== null && ad.length === 0 && size < SIMD_BELOW_BYTES) {
        const sealed = simd.seal(plaintext, nonce, key);
        if (target?.length !== sealed.length) return sealed.slice();
        target.set(sealed);
        return target;
      }
      if (size < NATIVE_FROM_BYTES) return asCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key);
      return encryptNatively(plaintext, nonce, ad, key);
    },

    chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst) {
      const size = ciphertext.byteLength - TAG_BYTES;
      if (simd !== null && ad.length === 0 && size >= 0 && size < SIMD_BELOW_BYTES) {
        const plaintext = simd.open(ciphertext, nonce, key);
        if (plaintext === null) throw new Error("a noise message's tag does not fit");
        if (dst?.length !== size) return plaintext.slice();
        dst.set(plaintext);
        return dst;
      }
      if (size < NATIVE_FROM_BYTES) return asCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst);
      return decryptNatively(ciphertext, nonce, ad, key);
    },
  };
}

export const noiseCrypto = createNoiseCrypto(createSimdCipher());
