/** What several tests of the verdict change, or need of an exit's scenario. */
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { EXITING_VALIDATOR, type ExitScenario } from "../state/exit_scenario.ts";

export function validatorOf(state: CachedBeaconStateMessageBus, index = EXITING_VALIDATOR) {
  return state.validators.get(index);
}

export function setPrefix(state: CachedBeaconStateMessageBus, prefix: number): void {
  const validator = validatorOf(state);
  const credentials = validator.withdrawalCredentials.slice();
  credentials[0] = prefix;
  validator.withdrawalCredentials = credentials;
}

/** The contract with all messages sent so far finalized. */
export function follow({ tree }: ExitScenario, finalizedCount = tree.count) {
  return {
    finalizedCount: BigInt(finalizedCount),
    leafAt: (index: bigint) => tree.leafAt(Number(index)),
    rootAt: (count: bigint) => tree.rootAt(Number(count)),
  };
}
