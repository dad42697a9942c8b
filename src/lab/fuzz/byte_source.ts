/** Repeatable bytes in bulk: the keystream of a cipher under a seed. splitmix64 in bigints would cap the attacks' rate. */
import { type Cipheriv, createCipheriv } from "node:crypto";
import type { Random } from "../../base/random.ts";

const POOL_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(POOL_BYTES);

/** A `Random` of the same sequence for the same seed on every machine; never for keys that are worth something. */
export class ByteSource implements Random {
  readonly #cipher: Cipheriv;
  #pool: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(seed: Random) {
    this.#cipher = createCipheriv("aes-128-ctr", seed.bytes(16), Buffer.alloc(16));
  }

  float(): number {
    const at = this.#take(6);
    return this.#pool.readUIntBE(at, 6) / 2 ** 48;
  }

  below(below: number): number {
    return Math.floor(this.float() * below);
  }

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) return new Uint8Array(this.#cipher.update(Buffer.alloc(length)));
    const at = this.#take(length);
    return new Uint8Array(this.#pool.subarray(at, at + length));
  }

  #take(length: number): number {
    if (this.#offset + length > this.#pool.length) {
      this.#pool = this.#cipher.update(ZEROS);
      this.#offset = 0;
    }
    const at = this.#offset;
    this.#offset += length;
    return at;
  }
}
