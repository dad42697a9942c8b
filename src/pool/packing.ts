/** Choosing the exits of a block: by the block's own rules, against the state that will process them. */
import { MAX_TRIGGERED_EXITS } from "../spec/preset.ts";
import { TriggeredExit } from "../spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../state/beacon_state.ts";
import { getVerifiedRoots } from "../state/roots.ts";
import { getTriggeredExitValidity, isExitInitiated, processTriggeredExit } from "../state/triggered_exit.ts";
import type { VerifiedTriggeredExit } from "../validation/triggered_exit.ts";

export interface PackingCandidate {
  readonly exit: VerifiedTriggeredExit;
  readonly isLocal: boolean;
}

/**
 * Exits tried for one block, at 15 µs each: a pool of exits that all wait for a partial withdrawal must not delay the
 * proposal. What stands behind them in order waits for the next block.
 */
const PACKING_ATTEMPTS_LIMIT = 1024;

/**
 * Own submissions first, then whose root will be evicted soonest; each is checked again on a copy of the state to
 * which those before it have been applied. What does not pass is skipped: it may pass in the next block.
 *
 * @param state the proposal's, after its payload and before its operations: the payload has overwritten a root.
 * @param unverifiedBlockNumbers payloads on the state's branch whose roots must not be used (see `createStateView`).
 * @spec specs/message-bus/validator.md#get_triggered_exits
 */
export function packTriggeredExits(
  candidates: Iterable<PackingCandidate>,
  state: CachedBeaconStateMessageBus,
  unverifiedBlockNumbers: ReadonlySet<number>,
  max = MAX_TRIGGERED_EXITS,
): TriggeredExit[] {
  const roots = getVerifiedRoots(state, unverifiedBlockNumbers);
  const ordered = [];
  for (const { exit, isLocal } of candidates) {
    const payloadsLeft = roots.payloadsUntilEvicted(exit.root);
    if (payloadsLeft < 0 || exit.validatorIndex >= state.validators.length) continue;
    if (isExitInitiated(state.validators.getReadonly(exit.validatorIndex))) continue;
    ordered.push({ exit, isLocal, payloadsLeft });
  }
  ordered.sort(
    (a, b) =>
      Number(b.isLocal) - Number(a.isLocal) ||
      a.payloadsLeft - b.payloadsLeft ||
      a.exit.validatorIndex - b.exit.validatorIndex,
  );

  state.commit();
  const working = state.clone(true) as CachedBeaconStateMessageBus;
  const packed: TriggeredExit[] = [];
  for (const { exit } of ordered.slice(0, PACKING_ATTEMPTS_LIMIT)) {
    if (packed.length >= max) break;
    const operation = TriggeredExit.deserialize(exit.ssz);
    if (getTriggeredExitValidity(working, operation).code !== "VALID") continue;
    processTriggeredExit(working, operation);
    packed.push(operation);
  }
  return packed;
}
