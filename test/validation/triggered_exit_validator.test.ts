import { describe, expect, test } from "vitest";
import { TriggeredExit } from "../../src/spec/types.ts";
import { createStateView } from "../../src/state/view.ts";
import { TriggeredExitValidator } from "../../src/validation/triggered_exit.ts";
import { createExitScenario, EXITING_VALIDATOR, slotOf, toWireData } from "../state/exit_scenario.ts";

describe("triggered exit validator", () => {
  function createValidator() {
    const { scenario, sent } = createExitScenario();
    const context = scenario.context();
    const validator = new TriggeredExitValidator({
      shardCommitteePeriodEpochs: context.shardCommitteePeriodEpochs,
      getViews: () => ({ ...context, head: createStateView(scenario.head) }),
      clockEpoch: () => context.clockEpoch,
    });
    return { scenario, operation: scenario.operation(sent), validator };
  }

  test("triggered exit: of one validator's proofs against two roots the first is VALID, whichever way they come", () => {
    const { scenario, operation, validator } = createValidator();
    scenario.send(0);
    scenario.storeRoot(scenario.head, 1);
    const other = scenario.operation({
      validatorIndex: EXITING_VALIDATOR,
      sender: operation.messageBusSignal.messageSender,
      index: 3,
    });
    expect(validator.validateSerialized(TriggeredExit.serialize(operation)).verdict.code).toBe("VALID");
    expect(validator.validateWireData(toWireData(other)).verdict.code).toBe("ALREADY_SEEN");
    expect(validator.seenCount).toBe(1);
  });

  test("triggered exit: what was not VALID is not remembered", () => {
    const { operation, validator } = createValidator();
    const forged = TriggeredExit.deserialize(TriggeredExit.serialize(operation));
    (forged.messageBusSignal.proof[3] as Uint8Array).fill(9);
    expect(validator.validateWireData(toWireData(forged)).verdict.code).toBe("UNKNOWN_ROOT");
    expect(validator.validateWireData(toWireData(operation)).verdict.code).toBe("VALID");
  });

  test("triggered exit: a new head whose payloads evict the seen root lets the memory go", () => {
    const { scenario, operation, validator } = createValidator();
    validator.validateWireData(toWireData(operation));
    validator.onHead(createStateView(scenario.head));
    expect(validator.seenCount).toBe(1);
    scenario.head.messageBusRoots.set(slotOf(scenario.head, 0), new Uint8Array(32));
    validator.onHead(createStateView(scenario.head));
    expect(validator.seenCount).toBe(0);
  });
});
