/** The only file that draws chance: everything else is handed a `Random`. */
import { randomBytes } from "node:crypto";

export interface Random {
  /** A float in [0, 1). */
  float(): number;
  /** An integer in [0, below). */
  below(below: number): number;
  bytes(length: number): Uint8Array;
}

/** Cryptographic randomness, for keys and jitter. */
export const systemRandom: Random = {
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  below: (below) => Math.floor(systemRandom.float() * below),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** A repeatable sequence (splitmix64) for simulations and fuzzing; never for keys. */
export function seededRandom(seed: bigint | number): Random {
  const mask = 0xffff_ffff_ffff_ffffn;
  let state = BigInt(seed) & mask;
  const next = (): bigint => {
    state = (state + 0x9e37_79b9_7f4a_7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & mask;
    return z ^ (z >> 31n);
  };
  const random: Random = {
    float: () => Number(next() >> 11n) / 2 ** 53,
    below: (below) => Math.floor(random.float() * below),
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = Number(next() >> 56n);
      return out;
    },
  };
  return random;
}
