import { createRequire } from "node:module";

export const TAG_BYTES = 16;

/** What is used of libsodium, which comes without types. */
export interface Sodium {
  /** Writes ciphertext and tag into `sealed`, which must be as long as that. */
  crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    plaintext: Uint8Array,
    associatedData: Uint8Array | null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Writes the plaintext into `plaintext`, which may begin where `sealed` does. Throws where the tag does not fit. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plaintext: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    associatedData: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

/** Null where there is no build of it for this platform, such as one with musl. */
export function loadSodium(): Sodium | null {
  try {
    return createRequire(import.meta.url)("sodium-native") as Sodium;
  } catch {
    return null;
  }
}
