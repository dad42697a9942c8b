/** States as vectors hold them, before and after. */
import type { Type } from "@chainsafe/ssz";
import { CodedError, errorMessage } from "../../base/errors.ts";
import {
  createMessageBusConfig,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
} from "../../spec/config.ts";
import { BeaconState } from "../../spec/types.ts";
import {
  type CachedBeaconStateMessageBus,
  isMessageBusState,
  loadState,
  readGenesisValidatorsRoot,
} from "../../state/beacon_state.ts";
import type { CachedState } from "../../state/transition.ts";
import { badVector, type CaseDir } from "./case_dir.ts";
import { toExactType } from "./exact_types.ts";
import { type CaseOutcome, type Difference, differencesOf, failed, judge } from "./outcome.ts";

const FORK_EPOCH_OFFSET = 56;

/**
 * The configuration under which a vector's state stands: its preset's, with the fork at the state's own `fork.epoch`, so
 * that signatures get the domains that the state has.
 */
export function configOf(stateBytes: Uint8Array): MessageBusBeaconConfig {
  const genesisValidatorsRoot = readGenesisValidatorsRoot(stateBytes);
  const forkEpoch = new DataView(stateBytes.buffer, stateBytes.byteOffset).getBigUint64(FORK_EPOCH_OFFSET, true);
  return createMessageBusConfig(
    FORKS_AT_GENESIS,
    { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: Number(forkEpoch) },
    genesisValidatorsRoot,
  );
}

/** A state file of the message-bus fork, with its caches. Throws a `CodedError` that names the file. */
export function readState(dir: CaseDir, file: string): CachedBeaconStateMessageBus {
  const bytes = dir.readSsz(file);
  try {
    const state = loadState(configOf(bytes), bytes);
    if (isMessageBusState(state)) return state;
  } catch (error) {
    if (error instanceof CodedError) throw badVector(file, `cannot be used: ${error.message}`, error);
    throw error;
  }
  throw badVector(file, "is not a state of message_bus");
}

/**
 * Runs a transition that a vector holds to be valid exactly if it has `post.ssz_snappy`, and compares the states.
 * Whatever `transition` needs of the case must have been read before: what it throws is taken for "invalid".
 */
export function judgeTransition(dir: CaseDir, transition: () => CachedState): CaseOutcome {
  const expected = dir.has(POST_FILE) ? dir.readSsz(POST_FILE) : null;
  let post: CachedState;
  try {
    post = transition();
  } catch (error) {
    if (expected === null) return { passed: true };
    return failed(`should be valid, and was refused: ${errorMessage(error)}`);
  }
  if (expected === null) return failed("should be invalid (no post.ssz_snappy), and was accepted");
  return judge(stateDifferences(expected, post.serialize()));
}

export const POST_FILE = "post.ssz_snappy";

/** Compares serialized states of the message-bus fork. Throws a `CodedError` when `expected` is no such state. */
export function stateDifferences(expected: Uint8Array, actual: Uint8Array): Difference[] {
  if (Buffer.compare(expected, actual) === 0) return [];
  const expectedValue = decodeFile(POST_FILE, exactState, expected);
  return differencesOf(exactState.toJson(expectedValue), exactState.toJson(exactState.deserialize(actual)));
}

/** Only decoded where states differ: their bytes decide. */
const exactState = toExactType(BeaconState);

/** Throws a `CodedError` that names the file when its bytes are not of the type. */
export function decodeFile<T>(file: string, type: Type<T>, bytes: Uint8Array): T {
  try {
    return type.deserialize(bytes);
  } catch (error) {
    throw badVector(file, `is no SSZ of ${type.typeName}: ${errorMessage(error)}`, error);
  }
}
