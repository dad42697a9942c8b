import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PackingCandidate, packTriggeredExits } from "../../src/pool/packing.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, MAX_TRIGGERED_EXITS } from "../../src/spec/preset.ts";
import { BeaconState, TriggeredExit } from "../../src/spec/types.ts";
import { getTriggeredExitValidity, processTriggeredExit } from "../../src/state/triggered_exit.ts";
import { createStateView } from "../../src/state/view.ts";
import type { VerifiedTriggeredExit } from "../../src/validation/triggered_exit.ts";
import { ExitScenario, slotOf } from "../state/exit_scenario.ts";
import { verifyExit } from "./verify_exit.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const NONE: ReadonlySet<number> = new Set();

/** Validators with an execution address, of which each exit is proven against a root of another age. */
const VALIDATORS = [3, 4, 5, 6, 7, 8];

function createExits(ages: readonly number[]): { scenario: ExitScenario; exits: VerifiedTriggeredExit[] } {
  const scenario = new ExitScenario();
  const exits = ages.map((age, i) => {
    const sent = scenario.send(VALIDATORS[i] as number);
    scenario.storeRoot(scenario.head, age);
    return verifyExit(scenario, scenario.operation(sent));
  });
  return { scenario, exits };
}

function network(exits: VerifiedTriggeredExit[]): PackingCandidate[] {
  return exits.map((exit) => ({ exit, isLocal: false }));
}

function validatorsOf(scenario: ExitScenario, operations: TriggeredExit[]): (number | null)[] {
  return operations.map(({ data }) => createStateView(scenario.head).getValidatorIndex(data.pubkey));
}

describe("packing", () => {
  test("packing: takes whose root is evicted soonest first, and own submissions before all", () => {
    const { scenario, exits } = createExits([3, 40, 0, 20]);
    const candidates = exits.map((exit) => ({ exit, isLocal: exit.validatorIndex === 3 }));
    expect(validatorsOf(scenario, packTriggeredExits(candidates, scenario.head, NONE))).toEqual([3, 4, 6, 5]);
    expect(validatorsOf(scenario, packTriggeredExits(candidates, scenario.head, NONE, 2))).toEqual([3, 4]);
  });

  test("packing: takes the root that the next payload evicts, and not the one that this payload has overwritten", () => {
    const { scenario, exits } = createExits([WINDOW - 1, 5]);
    scenario.head.messageBusRoots.set(slotOf(scenario.head, 5), new Uint8Array(32).fill(1));
    expect(validatorsOf(scenario, packTriggeredExits(network(exits), scenario.head, NONE))).toEqual([3]);
  });

  test("packing: takes no root that only an unverified block brought", () => {
    const { scenario, exits } = createExits([9, 5]);
    const unverified = new Set([scenario.head.latestExecutionPayloadHeader.blockNumber - 5]);
    expect(validatorsOf(scenario, packTriggeredExits(network(exits), scenario.head, unverified))).toEqual([3]);
  });

  test("packing: two exits of one validator never stand in one block", () => {
    const { scenario, exits } = createExits([9]);
    const again = scenario.send(VALIDATORS[0] as number);
    scenario.storeRoot();
    const candidates = network([...exits, verifyExit(scenario, scenario.operation(again))]);
    expect(packTriggeredExits(candidates, scenario.head, NONE)).toHaveLength(1);
  });

  test("packing: never changes the state that it packs for", () => {
    const { scenario, exits } = createExits([9, 5]);
    const before = scenario.head.hashTreeRoot();
    expect(packTriggeredExits(network(exits), scenario.head, NONE)).toHaveLength(2);
    expect(scenario.head.hashTreeRoot()).toEqual(before);
  });

  test("packing: whatever the state, the block takes all in order, and nothing that it would take is left out", () => {
    const faults = fc.constantFrom("none", "none", "exiting", "pending withdrawal", "too young", "root evicted");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: WINDOW - 2 }), faults, fc.boolean()), {
          minLength: 1,
          maxLength: VALIDATORS.length,
        }),
        fc.integer({ min: 1, max: VALIDATORS.length }),
        (items, max) => {
          const { scenario, exits } = createExits(items.map(([age]) => age));
          const { head } = scenario;
          for (const [i, [age, fault]] of items.entries()) {
            const validator = head.validators.get(VALIDATORS[i] as number);
            if (fault === "exiting") validator.exitEpoch = 99;
            if (fault === "too young") validator.activationEpoch = head.epochCtx.epoch;
            if (fault === "root evicted") head.messageBusRoots.set(slotOf(head, age), new Uint8Array(32));
            if (fault === "pending withdrawal") {
              const { elementType } = BeaconState.fields.pendingPartialWithdrawals;
              const pending = { validatorIndex: VALIDATORS[i] as number, amount: 1n, withdrawableEpoch: 99 };
              head.pendingPartialWithdrawals.push(elementType.toViewDU(pending));
            }
          }
          const candidates = exits.map((exit, i) => ({ exit, isLocal: items[i]?.[2] === true }));
          const packed = packTriggeredExits(candidates, head, NONE, max);
          for (const operation of packed) processTriggeredExit(head, operation);
          expect(packed.length).toBeLessThanOrEqual(Math.min(max, MAX_TRIGGERED_EXITS));
          if (packed.length === max) return;
          for (const { ssz } of exits) {
            expect(getTriggeredExitValidity(head, TriggeredExit.deserialize(ssz)).code).not.toBe("VALID");
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
