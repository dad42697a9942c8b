import { createCipheriv, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  createSimdCipher,
  INPUT_AT,
  instantiateSimd,
  MAX_SIMD_BYTES,
  ONE_TIME_KEY_AT,
  type SimdCipher,
  TAG_AT,
  TAG_BYTES,
} from "../../../src/network/transport/simd_cipher.ts";

function present<T>(value: T | null): T {
  if (value === null) throw new Error("this processor has no vectors");
  return value;
}

const cipher: SimdCipher = present(createSimdCipher());

function nativelySealed(plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): Buffer {
  const native = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  return Buffer.concat([native.update(plaintext), native.final(), native.getAuthTag()]);
}

/** @spec rfc8439#section-2.5.1 */
function poly1305(r: bigint, s: bigint, blocks: readonly bigint[]): bigint {
  const sum = blocks.reduce((sum, block) => ((sum + block + 2n ** 128n) * r) % (2n ** 130n - 5n), 0n);
  return (sum + s) % 2n ** 128n;
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

describe("cipher of vectors", () => {
  it("gives RFC 8439's ciphertext of its section 2.8.2", () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
    const nonce = Uint8Array.from(Buffer.from("070000004041424344454647", "hex"));
    const plaintext = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    const sealed = Buffer.from(cipher.seal(plaintext, nonce, key));
    expect(sealed.toString("hex", 0, plaintext.length)).toBe(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29" +
        "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116",
    );
    expect(Buffer.compare(sealed, nativelySealed(plaintext, nonce, key))).toBe(0);
  });

  it("seals and opens as OpenSSL does, at every length up to four groups of blocks, and at the most", () => {
    const key = randomBytes(32);
    for (const length of [...Array(1100).keys(), 4095, MAX_SIMD_BYTES - 1, MAX_SIMD_BYTES]) {
      const nonce = randomBytes(12);
      const plaintext = randomBytes(length);
      const reference = nativelySealed(plaintext, nonce, key);
      expect(Buffer.compare(cipher.seal(plaintext, nonce, key), reference), `sealing ${length} bytes`).toBe(0);
      const opened = present(cipher.open(reference, nonce, key));
      expect(Buffer.compare(opened, plaintext), `opening ${length} bytes`).toBe(0);
    }
  });

  it("refuses every bit that was changed, and another key or nonce", () => {
    const [key, nonce] = [randomBytes(32), randomBytes(12)];
    const sealed = nativelySealed(randomBytes(70), nonce, key);
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(cipher.open(changed, nonce, key), `bit ${bit}`).toBeNull();
    }
    expect(cipher.open(sealed, nonce, randomBytes(32))).toBeNull();
    expect(cipher.open(sealed, randomBytes(12), key)).toBeNull();
    expect(cipher.open(sealed, nonce, key)).not.toBeNull();
  });

  it("carries through all limbs of Poly1305: sums around 2^130 - 5, and the largest of all", () => {
    const simd = present(instantiateSimd());
    const memory = new Uint8Array(simd.memory.buffer);
    const largestKey = 0x0ffffffc0ffffffc0ffffffc0fffffffn;
    const top = 2n ** 128n - 1n;
    // Behind two blocks comes that of their length; with r = 1 the three are added up, and 3 × 2^128.
    const lengths = 32n << 64n;
    const atModulus = 2n ** 128n - 5n - lengths;
    const sums = Array.from({ length: 12 }, (_, i): [bigint, bigint] => [atModulus - 6n + BigInt(i), 0n]);
    for (const r of [1n, largestKey]) {
      for (const s of [0n, 1n, top, 2n ** 64n - 1n]) {
        for (const blocks of [...sums, [top, top], [top, 0n], [0n, 0n]] as [bigint, bigint][]) {
          memory.set(littleEndian(r), ONE_TIME_KEY_AT);
          memory.set(littleEndian(s), ONE_TIME_KEY_AT + 16);
          for (const [i, block] of blocks.entries()) memory.set(littleEndian(block), INPUT_AT + 16 * i);
          simd.authenticate(INPUT_AT, 32);
          const expected = littleEndian(poly1305(r, s, [...blocks, lengths]));
          expect(Buffer.compare(memory.subarray(TAG_AT, TAG_AT + 16), expected), `${r} ${s} ${blocks}`).toBe(0);
        }
      }
    }
  });
});
