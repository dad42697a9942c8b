import { randomBytes } from "node:crypto";
import { defaultCrypto, pureJsCrypto } from "@chainsafe/libp2p-noise/crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contiguous } from "../../../src/network/transport/bytes.ts";
import { createNoiseCrypto, noiseCrypto } from "../../../src/network/transport/noise_crypto.ts";

const NO_DATA = new Uint8Array(0);
const KEY = randomBytes(32);
const SEED = 20_261_122;

/** Around all borders, the library's and ours, and up to what a noise message holds. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 64 }),
  fc.integer({ min: 490, max: 530 }),
  fc.integer({ min: 1180, max: 1220 }),
  fc.integer({ min: 16_370, max: 16_400 }),
  fc.integer({ min: 0, max: 65_519 }),
);

describe.each([
  { name: "noise cipher", noiseCrypto },
  { name: "noise cipher where libsodium is not", noiseCrypto: createNoiseCrypto(null) },
])("$name", ({ noiseCrypto }) => {
  it("makes and reads what a plain implementation does, at every size, with and without associated data", () => {
    fc.assert(
      fc.property(size, fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.boolean(), (bytes, nonce, hasData) => {
        const plaintext = randomBytes(bytes);
        const data = hasData ? randomBytes(32) : NO_DATA;
        const reference = contiguous(pureJsCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, data, KEY));
        const ours = contiguous(noiseCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, data, KEY));
        expect(Buffer.compare(ours, reference)).toBe(0);
        const opened = contiguous(noiseCrypto.chaCha20Poly1305Decrypt(reference, nonce, data, KEY));
        expect(Buffer.compare(opened, plaintext)).toBe(0);
        const inPlace = Uint8Array.from(reference);
        const target = inPlace.subarray(0, bytes);
        expect(
          Buffer.compare(contiguous(noiseCrypto.chaCha20Poly1305Decrypt(inPlace, nonce, data, KEY, target)), plaintext),
        ).toBe(0);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  it.each([0, 100, 511, 512, 2000, 16_383, 16_384])(
    "refuses %i bytes of which one bit was changed, wherever it is",
    (bytes) => {
      const nonce = randomBytes(12);
      const sealed = contiguous(noiseCrypto.chaCha20Poly1305Encrypt(randomBytes(bytes), nonce, NO_DATA, KEY));
      for (const at of [0, sealed.length >> 1, sealed.length - 16, sealed.length - 1]) {
        const changed = Uint8Array.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(() => noiseCrypto.chaCha20Poly1305Decrypt(changed, nonce, NO_DATA, KEY)).toThrow();
      }
    },
  );

  it("tells two keys apart", () => {
    const nonce = randomBytes(12);
    const sealed = noiseCrypto.chaCha20Poly1305Encrypt(randomBytes(1000), nonce, NO_DATA, KEY);
    expect(() => noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, NO_DATA, randomBytes(32))).toThrow();
  });

  it("leaves the rest of noise as it is", () => {
    expect(noiseCrypto.getHKDF).toBe(defaultCrypto.getHKDF);
    expect(noiseCrypto.generateX25519SharedKey).toBe(defaultCrypto.generateX25519SharedKey);
  });
});
