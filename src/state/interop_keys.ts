import type { SecretKey } from "@chainsafe/blst";
import { interopSecretKey } from "@lodestar/state-transition";

export type InteropKey = {
  secretKey: SecretKey;
  /** 48 bytes, compressed. */
  pubkey: Uint8Array;
};

/**
 * The keys that all clients' test networks use: known to everybody, so worth nothing.
 * https://github.com/ethereum/eth2.0-pm/blob/master/interop/mocked_start/README.md
 */
export function getInteropKey(validatorIndex: number): InteropKey {
  const secretKey = interopSecretKey(validatorIndex);
  return { secretKey, pubkey: secretKey.toPublicKey().toBytes() };
}

/** The keys of validators 0 to `count` - 1. */
export function getInteropKeys(count: number): InteropKey[] {
  return Array.from({ length: count }, (_, i) => getInteropKey(i));
}
