import fc from "fast-check";
import { compressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, GOSSIP_ROOT_MARGIN } from "../../src/spec/preset.ts";
import { BeaconState, TriggeredExit } from "../../src/spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { getTriggeredExitValidity } from "../../src/state/triggered_exit.ts";
import { createStateView } from "../../src/state/view.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import {
  judgeSerializedTriggeredExit,
  judgeTriggeredExit,
  type TriggeredExitContext,
  TriggeredExitValidator,
} from "../../src/validation/triggered_exit.ts";
import { TRIGGERED_EXIT_CODES, type TriggeredExitVerdict } from "../../src/validation/verdict.ts";
import {
  BLS_VALIDATOR,
  COMPOUNDING_VALIDATOR,
  createExitScenario,
  EXITING_VALIDATOR,
  type ExitScenario,
  type Sent,
  STRANGER,
  slotOf,
  toWireData,
} from "../state/exit_scenario.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const FAR_FUTURE = Number.POSITIVE_INFINITY;

type Change = {
  scenario: ExitScenario;
  sent: Sent;
  operation: TriggeredExit;
};

/** One change of a valid fixture, and the verdict that must come of it. */
type Case = {
  name: string;
  verdict: [result: TriggeredExitVerdict["result"], code: TriggeredExitVerdict["code"]];
  /** Changes states or operation in place. */
  change?: (change: Change) => void;
  /** What of the context differs. */
  context?: (change: Change) => Partial<TriggeredExitContext>;
  wireData?: (operation: TriggeredExit) => Uint8Array;
};

function validatorOf(state: CachedBeaconStateMessageBus, index = EXITING_VALIDATOR) {
  return state.validators.get(index);
}

/** The operation becomes another exit of the same contract, proven against the newest root. */
function replaceBy(change: Change, validatorIndex: number, sender: Uint8Array): void {
  const sent = change.scenario.send(validatorIndex, sender);
  change.scenario.storeRoot();
  Object.assign(change.operation, change.scenario.operation(sent));
}

/** The root stands at this age and nowhere else. */
function storeOnlyAt({ scenario }: Change, age: number): void {
  scenario.head.messageBusRoots.set(slotOf(scenario.head, 0), new Uint8Array(32));
  scenario.storeRoot(scenario.head, age);
}

/** The contract with all messages sent so far finalized. */
function follow({ tree }: ExitScenario, finalizedCount = tree.count) {
  return {
    finalizedCount: BigInt(finalizedCount),
    leafAt: (index: bigint) => tree.leafAt(Number(index)),
    rootAt: (count: bigint) => tree.rootAt(Number(count)),
  };
}

function siblingOf({ operation }: Change, i: number): Uint8Array {
  return operation.messageBusSignal.proof[i] as Uint8Array;
}

const cases: Case[] = [
  { name: "nothing changed", verdict: ["accept", "VALID"] },
  {
    name: "0x02 credentials",
    verdict: ["accept", "VALID"],
    change: (change) =>
      replaceBy(change, COMPOUNDING_VALIDATOR, change.scenario.withdrawalAddress(COMPOUNDING_VALIDATOR)),
  },
  {
    name: "no bytes",
    verdict: ["reject", "BAD_SNAPPY"],
    wireData: () => new Uint8Array(0),
  },
  {
    name: "a snappy block cut short",
    verdict: ["reject", "BAD_SNAPPY"],
    wireData: (operation) => toWireData(operation).slice(0, -1),
  },
  {
    name: "one byte too many",
    verdict: ["reject", "WRONG_LENGTH"],
    wireData: (operation) => compressSync(Buffer.concat([TriggeredExit.serialize(operation), new Uint8Array(1)])),
  },
  { name: "a node that is behind", verdict: ["ignore", "NOT_SYNCED"], context: () => ({ synced: false }) },
  {
    name: "an exit of the validator that was seen",
    verdict: ["ignore", "ALREADY_SEEN"],
    context({ scenario }) {
      const seen = new SeenExits();
      seen.add(scenario.pubkey(EXITING_VALIDATOR), scenario.tree.rootAt(scenario.tree.count));
      return { seen };
    },
  },
  {
    name: "a seen exit whose root is not stored any more",
    verdict: ["accept", "VALID"],
    context({ scenario }) {
      const seen = new SeenExits();
      seen.add(scenario.pubkey(EXITING_VALIDATOR), scenario.tree.rootAt(1));
      return { seen };
    },
  },
  {
    name: "padding of the count that is not zero",
    verdict: ["reject", "BAD_COUNT"],
    change: (change) => siblingOf(change, 32).fill(1, 8, 9),
  },
  {
    name: "a count above the capacity",
    verdict: ["reject", "BAD_COUNT"],
    change: (change) => siblingOf(change, 32).set([1, 0, 0, 0, 1]),
  },
  {
    name: "an index at the claimed count",
    verdict: ["reject", "INDEX_OUT_OF_RANGE"],
    change({ operation, scenario }) {
      operation.messageBusSignal.messageIndex = BigInt(scenario.tree.count);
    },
  },
  {
    name: "an index with a bit above the depth",
    verdict: ["reject", "INDEX_OUT_OF_RANGE"],
    change({ operation }) {
      operation.messageBusSignal.messageIndex += 2n ** 63n;
    },
  },
  {
    name: "an unknown pubkey",
    verdict: ["reject", "UNKNOWN_VALIDATOR"],
    change: ({ operation }) => operation.data.pubkey.fill(7, 0, 1),
  },
  {
    name: "an unknown pubkey while more is unfinalized than the period",
    verdict: ["ignore", "UNKNOWN_VALIDATOR"],
    change: ({ operation }) => operation.data.pubkey.fill(7, 0, 1),
    context: ({ scenario: { head, finalized } }) => ({
      clockEpoch: finalized.epochCtx.epoch + head.config.SHARD_COMMITTEE_PERIOD + 1,
    }),
  },
  {
    name: "0x00 credentials, which may still change",
    verdict: ["ignore", "NO_EXECUTION_ADDRESS"],
    change: (change) => replaceBy(change, BLS_VALIDATOR, change.scenario.withdrawalAddress(BLS_VALIDATOR)),
  },
  {
    name: "another prefix",
    verdict: ["reject", "NO_EXECUTION_ADDRESS"],
    change: ({ scenario }) => setPrefix(scenario.head, 0x03),
  },
  {
    name: "another prefix, of a validator that finality does not have",
    verdict: ["ignore", "NO_EXECUTION_ADDRESS"],
    change: ({ scenario }) => setPrefix(scenario.head, 0x03),
    context: ({ scenario }) => ({ finalized: withoutRegistry(scenario) }),
  },
  {
    name: "another sender",
    verdict: ["reject", "WRONG_SENDER"],
    change: (change) => replaceBy(change, EXITING_VALIDATOR, STRANGER),
  },
  {
    name: "another sender, while the finalized credentials are 0x00",
    verdict: ["ignore", "WRONG_SENDER"],
    change(change) {
      replaceBy(change, EXITING_VALIDATOR, STRANGER);
      setPrefix(change.scenario.finalized, 0x00);
    },
  },
  {
    name: "an exit initiated at the head",
    verdict: ["ignore", "EXIT_INITIATED"],
    change({ scenario }) {
      validatorOf(scenario.head).exitEpoch = 200;
    },
  },
  {
    name: "an exit initiated in the finalized view",
    verdict: ["reject", "EXIT_INITIATED"],
    change({ scenario }) {
      validatorOf(scenario.head).exitEpoch = 200;
      validatorOf(scenario.finalized).exitEpoch = 200;
    },
  },
  {
    name: "a validator that is too young by one epoch",
    verdict: ["ignore", "TOO_YOUNG"],
    change: ({ scenario }) => makeYoung(scenario, 1),
  },
  {
    name: "a validator that is too young by two epochs",
    verdict: ["reject", "TOO_YOUNG"],
    change: ({ scenario }) => makeYoung(scenario, 2),
  },
  {
    name: "a validator that is old enough for the clock, and the head is behind",
    verdict: ["ignore", "TOO_YOUNG"],
    change: ({ scenario }) => makeYoung(scenario, 2),
    context: ({ scenario }) => ({ clockEpoch: scenario.head.epochCtx.epoch + 2 }),
  },
  {
    name: "a validator without an activation epoch",
    verdict: ["reject", "TOO_YOUNG"],
    change({ scenario }) {
      validatorOf(scenario.head).activationEpoch = FAR_FUTURE;
    },
  },
  {
    name: "a pending partial withdrawal",
    verdict: ["ignore", "PENDING_WITHDRAWAL"],
    change({ scenario: { head } }) {
      const { elementType } = BeaconState.fields.pendingPartialWithdrawals;
      const pending = { validatorIndex: EXITING_VALIDATOR, amount: 1n, withdrawableEpoch: 99 };
      head.pendingPartialWithdrawals.push(elementType.toViewDU(pending));
    },
  },
  {
    name: "a flipped bit in a sibling, no contract followed",
    verdict: ["ignore", "UNKNOWN_ROOT"],
    change: (change) => siblingOf(change, 9).fill(1, 0, 1),
  },
  {
    name: "a flipped bit in a sibling, and the claimed count is finalized",
    verdict: ["reject", "FORGED_PROOF"],
    change: (change) => siblingOf(change, 9).fill(1, 0, 1),
    context: ({ scenario }) => ({ contract: follow(scenario) }),
  },
  {
    name: "a flipped bit in a sibling, and the claimed count is not finalized",
    verdict: ["ignore", "UNKNOWN_ROOT"],
    change: (change) => siblingOf(change, 9).fill(1, 0, 1),
    context: ({ scenario }) => ({ contract: follow(scenario, scenario.tree.count - 1) }),
  },
  {
    name: "a true proof whose root the head does not store, and its count is finalized",
    verdict: ["ignore", "ROOT_EXPIRED"],
    change: ({ scenario: { head } }) => head.messageBusRoots.set(slotOf(head, 0), new Uint8Array(32)),
    context: ({ scenario }) => ({ contract: follow(scenario) }),
  },
  {
    name: "a root that only an unverified block brought",
    verdict: ["ignore", "UNKNOWN_ROOT"],
    context: ({ scenario: { head } }) => ({
      head: createStateView(head, new Set([head.latestExecutionPayloadHeader.blockNumber])),
    }),
  },
  {
    name: "a root in the last slot of the margin",
    verdict: ["ignore", "ROOT_EXPIRING"],
    change: (change) => storeOnlyAt(change, WINDOW - GOSSIP_ROOT_MARGIN),
  },
  {
    name: "a root in the first slot after the margin",
    verdict: ["accept", "VALID"],
    change: (change) => storeOnlyAt(change, WINDOW - 1 - GOSSIP_ROOT_MARGIN),
  },
];

function setPrefix(state: CachedBeaconStateMessageBus, prefix: number): void {
  const validator = validatorOf(state);
  const credentials = validator.withdrawalCredentials.slice();
  credentials[0] = prefix;
  validator.withdrawalCredentials = credentials;
}

function makeYoung({ head }: ExitScenario, missingEpochs: number): void {
  validatorOf(head).activationEpoch = head.epochCtx.epoch - head.config.SHARD_COMMITTEE_PERIOD + missingEpochs;
}

/** The finalized view as if its registry ended before the exiting validator. */
function withoutRegistry({ finalized }: ExitScenario) {
  return { ...createStateView(finalized), getValidatorIndex: () => null, getValidator: () => null };
}

function judgeCase({ change, context, wireData }: Case) {
  const { scenario, sent } = createExitScenario();
  const fixture: Change = { scenario, sent, operation: scenario.operation(sent) };
  change?.(fixture);
  const data = (wireData ?? toWireData)(fixture.operation);
  return judgeTriggeredExit(data, scenario.context(context?.(fixture)));
}

describe("triggered exit verdict", () => {
  test.each(cases)("triggered exit: $verdict.0 $verdict.1 on $name", (item) => {
    const { verdict, operation } = judgeCase(item);
    expect([verdict.result, verdict.code]).toEqual(item.verdict);
    expect(operation !== null).toBe(verdict.code === "VALID");
  });

  test("triggered exit: every code that the rules can end in has a case above", () => {
    const covered = new Set(cases.map(({ verdict }) => verdict[1]));
    expect(TRIGGERED_EXIT_CODES.filter((code) => !covered.has(code))).toEqual(["INTERNAL_ERROR"]);
  });

  test("triggered exit: a valid one is stamped with validator, root and bytes", () => {
    const { scenario, sent } = createExitScenario();
    const operation = scenario.operation(sent);
    const outcome = judgeTriggeredExit(toWireData(operation), scenario.context());
    const root = scenario.tree.rootAt(scenario.tree.count);
    expect(outcome).toMatchObject({ validatorIndex: EXITING_VALIDATOR, root });
    expect(outcome.operation).toMatchObject({ validatorIndex: EXITING_VALIDATOR, root });
    expect(new Uint8Array(outcome.operation?.ssz ?? [])).toEqual(TriggeredExit.serialize(operation));
  });

  test("triggered exit: an unknown root is told, so that the exit can wait for it", () => {
    const { scenario, sent } = createExitScenario();
    const operation = scenario.operation(sent);
    scenario.head.messageBusRoots.set(slotOf(scenario.head, 0), new Uint8Array(32));
    const outcome = judgeTriggeredExit(toWireData(operation), scenario.context());
    expect(outcome.verdict.code).toBe("UNKNOWN_ROOT");
    expect(outcome.root).toEqual(scenario.tree.rootAt(scenario.tree.count));
  });

  test("triggered exit: SSZ of another length than an operation's is refused as on the wire", () => {
    const { scenario } = createExitScenario();
    const { verdict } = judgeSerializedTriggeredExit(new Uint8Array(1131), scenario.context());
    expect(verdict).toEqual({ result: "reject", code: "WRONG_LENGTH" });
  });
});

describe("triggered exit verdict, whatever the bytes", () => {
  const { scenario, sent } = createExitScenario();
  const valid = TriggeredExit.serialize(scenario.operation(sent));
  const context = { ...scenario.context(), contract: follow(scenario) };
  const stateRoot = scenario.head.hashTreeRoot();
  const codes = new Set<string>(TRIGGERED_EXIT_CODES);

  function expectClosed(wireData: Uint8Array): void {
    const { verdict } = judgeTriggeredExit(wireData, context);
    expect(codes.has(verdict.code)).toBe(true);
  }

  test("triggered exit: random bytes end in a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1400 }), (bytes) => {
        expectClosed(bytes);
        expectClosed(compressSync(bytes));
        // Declares the right length, so that the decompressor sees the rest.
        expectClosed(Buffer.concat([Uint8Array.from([0xec, 0x08]), bytes]));
      }),
      { numRuns: 1000 },
    );
  });

  test("triggered exit: 1132 random bytes, and the valid one with random bytes in it, end in a code", () => {
    const patch = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.uint8Array({ minLength: 1, maxLength: 64 }));
    fc.assert(
      fc.property(
        fc.array(patch, { maxLength: 4 }),
        fc.uint8Array({ minLength: 1132, maxLength: 1132 }),
        (patches, noise) => {
          const bytes = valid.slice();
          for (const [offset, patched] of patches) bytes.set(patched.slice(0, bytes.length - offset), offset);
          expectClosed(compressSync(bytes));
          expectClosed(compressSync(noise));
          expect(["VALID", "FORGED_PROOF"].includes(judgeSerializedTriggeredExit(valid, context).verdict.code)).toBe(
            true,
          );
        },
      ),
      { numRuns: 1000 },
    );
    expect(scenario.head.hashTreeRoot()).toEqual(stateRoot);
  });
});

describe("triggered exit verdict beside the block's rules", () => {
  test("triggered exit: on any state ACCEPT means that a block may hold it, and what a block may hold by a lasting root is ACCEPTed", () => {
    const epochs = fc.constantFrom(0, 20, 21, 22, 84, 85, 86, FAR_FUTURE);
    fc.assert(
      fc.property(
        fc.record({
          activationEpoch: epochs,
          exitEpoch: fc.oneof({ arbitrary: fc.constant(FAR_FUTURE), weight: 4 }, epochs),
          prefix: fc.constantFrom(0x00, 0x01, 0x02, 0x03),
          sender: fc.constantFrom("withdrawal address", "stranger"),
          pendingGwei: fc.constantFrom(null, 0n, 1n),
          rootAge: fc.nat({ max: WINDOW }),
          flippedBit: fc.option(fc.nat({ max: 1132 * 8 - 1 }), { freq: 2 }),
        }),
        ({ activationEpoch, exitEpoch, prefix, sender, pendingGwei, rootAge, flippedBit }) => {
          const { scenario } = createExitScenario();
          const { head } = scenario;
          setPrefix(head, prefix);
          Object.assign(validatorOf(head), { activationEpoch, exitEpoch });
          if (pendingGwei !== null) {
            const pending = { validatorIndex: EXITING_VALIDATOR, amount: pendingGwei, withdrawableEpoch: 99 };
            const { elementType } = BeaconState.fields.pendingPartialWithdrawals;
            head.pendingPartialWithdrawals.push(elementType.toViewDU(pending));
          }
          const sent = scenario.send(EXITING_VALIDATOR, sender === "stranger" ? STRANGER : undefined);
          if (rootAge < WINDOW) scenario.storeRoot(head, rootAge);
          head.commit();
          const ssz = TriggeredExit.serialize(scenario.operation(sent));
          if (flippedBit !== null) {
            ssz[flippedBit >> 3] = (ssz[flippedBit >> 3] as number) ^ (1 << (flippedBit & 7));
          }

          const validity = getTriggeredExitValidity(head, TriggeredExit.deserialize(ssz)).code;
          const { verdict } = judgeSerializedTriggeredExit(ssz, scenario.context());
          const isExpiring = verdict.code === "ROOT_EXPIRING";
          expect(verdict.code === "VALID").toBe(validity === "VALID" && !isExpiring);
          if (isExpiring) expect(WINDOW - rootAge).toBeLessThanOrEqual(GOSSIP_ROOT_MARGIN);
        },
      ),
      { numRuns: 300 },
    );
  });
});

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
