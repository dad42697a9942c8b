import { describe, expect, test } from "vitest";
import type { TriggeredExit } from "../../src/spec/types.ts";
import { BeaconState } from "../../src/spec/types.ts";
import { getTriggeredExitValidity, processTriggeredExit } from "../../src/state/triggered_exit.ts";
import {
  BLS_VALIDATOR,
  COMPOUNDING_VALIDATOR,
  createExitScenario,
  EXITING_VALIDATOR,
  type ExitScenario,
  type Sent,
  STRANGER,
} from "./exit_scenario.ts";

/** Changes one thing in a scenario, or in the operation, and says what must come of it. */
type Fault = {
  code: string;
  name: string;
  state?: (scenario: ExitScenario) => void;
  operation?: (operation: TriggeredExit, scenario: ExitScenario, sent: Sent) => TriggeredExit;
};

function lastSibling({ messageBusSignal }: TriggeredExit): Uint8Array {
  return messageBusSignal.proof[32] as Uint8Array;
}

/** Sends from another sender or validator, and proves that. */
function resent(scenario: ExitScenario, validatorIndex: number, sender: Uint8Array): TriggeredExit {
  const sent = scenario.send(validatorIndex, sender);
  scenario.storeRoot();
  return scenario.operation(sent);
}

function exiting({ head }: ExitScenario) {
  return head.validators.get(EXITING_VALIDATOR);
}

const faults: Fault[] = [
  {
    code: "BAD_COUNT",
    name: "padding that is not zero",
    operation(operation) {
      lastSibling(operation)[31] = 1;
      return operation;
    },
  },
  {
    code: "BAD_COUNT",
    name: "a count above the capacity",
    operation(operation) {
      lastSibling(operation).set([1, 0, 0, 0, 1]);
      return operation;
    },
  },
  {
    code: "INDEX_OUT_OF_RANGE",
    name: "an index at the count",
    operation(operation, scenario) {
      operation.messageBusSignal.messageIndex = BigInt(scenario.tree.count);
      return operation;
    },
  },
  {
    code: "INDEX_OUT_OF_RANGE",
    name: "the index with a bit above the depth",
    operation(operation) {
      operation.messageBusSignal.messageIndex += 2n ** 32n;
      return operation;
    },
  },
  {
    code: "UNKNOWN_ROOT",
    name: "a flipped bit in a sibling",
    operation(operation) {
      (operation.messageBusSignal.proof[7] as Uint8Array)[3] = 0x55;
      return operation;
    },
  },
  {
    code: "UNKNOWN_ROOT",
    name: "a root that the payload has overwritten",
    state: (scenario) => {
      scenario.send(0);
      scenario.storeRoot();
    },
    operation: (_, scenario, sent) => scenario.operation(sent, scenario.tree.count - 1),
  },
  {
    code: "UNKNOWN_VALIDATOR",
    name: "a pubkey that is not in the registry, with a true proof",
    state: ({ head }) => head.epochCtx.pubkeyCache.set(head.validators.length, head.validators.getReadonly(5).pubkey),
  },
  {
    code: "NO_EXECUTION_ADDRESS",
    name: "0x00 credentials",
    operation: (_, scenario) => resent(scenario, BLS_VALIDATOR, scenario.withdrawalAddress(BLS_VALIDATOR)),
  },
  {
    code: "WRONG_SENDER",
    name: "a sender that is not the withdrawal address",
    operation: (_, scenario) => resent(scenario, EXITING_VALIDATOR, STRANGER),
  },
  {
    code: "NOT_ACTIVE",
    name: "a validator that is not active yet",
    state: (scenario) => {
      exiting(scenario).activationEpoch = scenario.head.epochCtx.epoch + 1;
    },
  },
  {
    code: "EXIT_INITIATED",
    name: "an exit that is under way",
    state: (scenario) => {
      exiting(scenario).exitEpoch = scenario.head.epochCtx.epoch + 9;
    },
  },
  {
    code: "TOO_YOUNG",
    name: "a validator that is one epoch too young",
    state: (scenario) => {
      const { epochCtx, config } = scenario.head;
      exiting(scenario).activationEpoch = epochCtx.epoch - config.SHARD_COMMITTEE_PERIOD + 1;
    },
  },
  {
    code: "PENDING_WITHDRAWAL",
    name: "a pending partial withdrawal",
    state: ({ head }) => {
      const pending = { validatorIndex: EXITING_VALIDATOR, amount: 1n, withdrawableEpoch: 99 };
      const { elementType } = BeaconState.fields.pendingPartialWithdrawals;
      head.pendingPartialWithdrawals.push(elementType.toViewDU(pending));
    },
  },
];

describe("triggered exit in a block", () => {
  test.each([EXITING_VALIDATOR, COMPOUNDING_VALIDATOR])(
    "triggered exit: initiates the exit of validator %i",
    (validatorIndex) => {
      const { scenario, sent } = createExitScenario(validatorIndex);
      const operation = scenario.operation(sent);
      expect(getTriggeredExitValidity(scenario.head, operation)).toEqual({ code: "VALID", validatorIndex });
      processTriggeredExit(scenario.head, operation);
      const { exitEpoch, withdrawableEpoch } = scenario.head.validators.getReadonly(validatorIndex);
      expect(exitEpoch).toBeGreaterThan(scenario.head.epochCtx.epoch);
      expect(withdrawableEpoch).toBe(exitEpoch + scenario.head.config.MIN_VALIDATOR_WITHDRAWABILITY_DELAY);
      expect(getTriggeredExitValidity(scenario.head, operation)).toEqual({ code: "EXIT_INITIATED" });
    },
  );

  test("triggered exit: any root that stands after the payload will do, also the one that the next evicts", () => {
    const { scenario, sent } = createExitScenario();
    scenario.storeRoot(scenario.head, 63);
    scenario.head.messageBusRoots.set(
      scenario.head.latestExecutionPayloadHeader.blockNumber % 64,
      new Uint8Array(32).fill(1),
    );
    expect(getTriggeredExitValidity(scenario.head, scenario.operation(sent)).code).toBe("VALID");
  });

  test.each(faults)("triggered exit: refuses with $code $name, and leaves the state as it was", (fault) => {
    const { scenario, sent } = createExitScenario();
    fault.state?.(scenario);
    let operation = scenario.operation(sent);
    operation = fault.operation?.(operation, scenario, sent) ?? operation;
    if (fault.code === "UNKNOWN_VALIDATOR") expect(operation).toEqual(scenario.operation(sent));
    const before = scenario.head.hashTreeRoot();
    expect(getTriggeredExitValidity(scenario.head, operation)).toEqual({ code: fault.code });
    expect(() => processTriggeredExit(scenario.head, operation)).toThrow(expect.objectContaining({ code: fault.code }));
    expect(scenario.head.hashTreeRoot()).toEqual(before);
  });
});
