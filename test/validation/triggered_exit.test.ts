import { compressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, GOSSIP_ROOT_MARGIN } from "../../src/spec/preset.ts";
import { BeaconState, TriggeredExit } from "../../src/spec/types.ts";
import { createStateView } from "../../src/state/view.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import {
  judgeSerializedTriggeredExit,
  judgeTriggeredExit,
  type TriggeredExitContext,
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
import { follow, setPrefix, validatorOf } from "./exit_changes.ts";

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
