import { CodedError } from "../base/errors.ts";
import {
  createMessageBusConfig,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
} from "../spec/config.ts";
import { readGenesisValidatorsRoot } from "./beacon_state.ts";

const FORK_EPOCH_OFFSET = 56;

/**
 * The configuration under which a state stands alone: its preset's, with the message-bus fork at the state's own
 * `fork.epoch`, so that signatures and topics get the domains that the state has.
 * @param stateBytes the SSZ of a state of the message-bus fork. Throws a `CodedError`: `BAD_SSZ`.
 */
export function standardConfigOf(stateBytes: Uint8Array): MessageBusBeaconConfig {
  const genesisValidatorsRoot = readGenesisValidatorsRoot(stateBytes);
  const forkEpoch = new DataView(stateBytes.buffer, stateBytes.byteOffset).getBigUint64(FORK_EPOCH_OFFSET, true);
  const MESSAGE_BUS_FORK_EPOCH = Number(forkEpoch);
  if (!Number.isSafeInteger(MESSAGE_BUS_FORK_EPOCH)) {
    throw new CodedError("BAD_SSZ", `Not the SSZ of a BeaconState: its fork's epoch would be ${forkEpoch}`);
  }
  return createMessageBusConfig(
    FORKS_AT_GENESIS,
    { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH },
    genesisValidatorsRoot,
  );
}
