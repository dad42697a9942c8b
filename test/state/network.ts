import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { ExecutionPayload } from "../../src/spec/types.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { getInteropKeys } from "../../src/state/interop_keys.ts";

/** The address (20 bytes) that may ask for the exit of each validator of `createTestGenesis`. */
export const WITHDRAWAL_ADDRESS = new Uint8Array(20).fill(0xaa);

/** Validators may exit at once; the execution chain stands at block 0. */
export function createTestGenesis(messageBusForkEpoch: number, validatorCount = 32) {
  const withdrawalCredentials = new Uint8Array(32);
  withdrawalCredentials[0] = 1;
  withdrawalCredentials.set(WITHDRAWAL_ADDRESS, 12);
  return createGenesisState(
    {
      chain: { ...FORKS_AT_GENESIS, SHARD_COMMITTEE_PERIOD: 0 },
      messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: messageBusForkEpoch },
    },
    {
      validators: getInteropKeys(validatorCount).map(({ pubkey }) => ({ pubkey, withdrawalCredentials })),
      genesisTime: 1_700_000_000,
      latestPayload: ExecutionPayload.defaultValue(),
    },
  );
}
