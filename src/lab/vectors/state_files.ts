/** States as vectors hold them, before and after. */
import type { Type } from "@chainsafe/ssz";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { BeaconState } from "../../spec/types.ts";
import { type CachedBeaconStateMessageBus, isMessageBusState, loadState } from "../../state/beacon_state.ts";
import { standardConfigOf } from "../../state/standard_config.ts";
import type { CachedState } from "../../state/transition.ts";
import { badVector, type CaseDir } from "./case_dir.ts";
import { toExactType } from "./exact_types.ts";
import { type CaseOutcome, type Difference, differencesOf, failed, judge } from "./outcome.ts";

/** A state file of the message-bus fork, with its caches. Throws a `CodedError` that names the file. */
export function readState(dir: CaseDir, file: string): CachedBeaconStateMessageBus {
  const bytes = dir.readSsz(file);
  try {
    const state = loadState(standardConfigOf(bytes), bytes);
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
