import { describe, expect, test } from "vitest";
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { CAST, isExiting, NEWCOMER, runChain, VALIDATORS } from "./reachable_states.ts";

describe.each([
  ["from genesis on", 0],
  ["after an upgrade from Fulu in epoch 1", 1],
])("a chain of the fork %s", (_, forkEpoch) => {
  const { states } = runChain(forkEpoch);
  const reached = (condition: (state: CachedBeaconStateMessageBus) => boolean) =>
    expect(states.some(condition)).toBe(true);

  test("reaches states with all that an exit can meet", () => {
    reached((state) => state.validators.getReadonly(CAST.slashed).slashed);
    reached((state) => isExiting(state, CAST.voluntarilyExiting));
    reached((state) => isExiting(state, CAST.requestedExit));
    reached((state) => isExiting(state, CAST.consolidated) && state.pendingConsolidations.length > 0);
    reached((state) => state.validators.getReadonly(CAST.switching).withdrawalCredentials[0] === 2);
    reached((state) => state.pendingPartialWithdrawals.length > 0);
    reached((state) => state.pendingDeposits.length > 0);
    reached((state) => state.validators.length === VALIDATORS + 1);
    for (const index of CAST.triggered) reached((state) => isExiting(state, index));
    expect(NEWCOMER).toBe(VALIDATORS);
  });
});
