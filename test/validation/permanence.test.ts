/** The heart of the claim: what one honest, synced node ACCEPTs no other one REJECTs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TriggeredExit } from "../../src/spec/types.ts";
import {
  hasExecutionWithdrawalCredential,
  isExitInitiated,
  isWithdrawalAddress,
} from "../../src/state/triggered_exit.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import { judgeSerializedTriggeredExit, type TriggeredExitContext } from "../../src/validation/triggered_exit.ts";
import type { TriggeredExitVerdict } from "../../src/validation/verdict.ts";
import {
  type Block,
  buildBlocks,
  chainPlan,
  contractOf,
  isAncestor,
  operationsOf,
  SHARD_COMMITTEE_PERIOD,
  type View,
  type ViewPlan,
  viewAt,
  viewPlan,
} from "./honest_chain.ts";

const RUNS = 400;
const SEED = 20_261_122;

/** A chain has more when it has many messages and blocks. */
const OPERATIONS_PER_CHAIN = 60;

interface PairPlan {
  readonly block: number;
  readonly laterSlots: number;
  readonly a: ViewPlan;
  readonly b: ViewPlan;
  readonly follows: boolean;
}

const pairPlan: fc.Arbitrary<PairPlan> = fc.record({
  block: fc.nat(24),
  laterSlots: fc.nat(9),
  a: viewPlan,
  b: viewPlan,
  follows: fc.boolean(),
});
const scene = fc.record({ chain: chainPlan, pairs: fc.array(pairPlan, { minLength: 1, maxLength: 12 }) });

type Judge = (ssz: Uint8Array, context: TriggeredExitContext) => TriggeredExitVerdict;

const judge: Judge = (ssz, context) => judgeSerializedTriggeredExit(ssz, context).verdict;

function contextOf({ head, finalized, clockEpoch }: View, follows: boolean): TriggeredExitContext {
  return {
    head: head.view,
    finalized: finalized.view,
    clockEpoch,
    shardCommitteePeriodEpochs: SHARD_COMMITTEE_PERIOD,
    synced: true,
    seen: new SeenExits(),
    contract: follows ? contractOf(finalized) : null,
  };
}

interface Pair {
  readonly a: View;
  readonly b: View;
  readonly follows: boolean;
}

function pairsOf(blocks: readonly Block[], plans: readonly PairPlan[]): Pair[] {
  return plans.map(({ block, laterSlots, a, b, follows }) => {
    const slot = (blocks[block % blocks.length] as Block).slot + laterSlots;
    return { a: viewAt(blocks, slot, a), b: viewAt(blocks, slot, b), follows };
  });
}

/** Neither head contradicts what the other node has finalized. */
function isAllowed({ a, b }: Pair): boolean {
  return isAncestor(a.finalized, b.head) && isAncestor(b.finalized, a.head);
}

/** Spread over all, the same for the same chain. */
function sampleOf(operations: readonly Uint8Array[]): Uint8Array[] {
  const step = Math.max(1, Math.floor(operations.length / OPERATIONS_PER_CHAIN));
  return operations.filter((_, i) => i % step === 0);
}

/** Counts pairs of verdicts, to show that the property is about something. */
type Tally = Map<string, number>;

function oneAcceptsOtherNeverRejects(judgeOne: Judge, tally: Tally = new Map()) {
  return fc.property(scene, ({ chain, pairs }) => {
    const blocks = buildBlocks(chain);
    const operations = sampleOf(operationsOf(blocks));
    for (const pair of pairsOf(blocks, pairs).filter(isAllowed)) {
      const { a, b, follows } = pair;
      for (const ssz of operations) {
        const verdicts = [a, b].map((view) => judgeOne(ssz, contextOf(view, follows)));
        const name = verdicts
          .map(({ result, code }) => `${result} ${code}`)
          .sort()
          .join(", ");
        tally.set(name, (tally.get(name) ?? 0) + 1);
        const results = verdicts.map(({ result }) => result);
        if (results.includes("accept") && results.includes("reject")) throw new Error(name);
      }
    }
  });
}

/** Why no later state can make the exit valid, as the finalized state alone tells. */
function irreparableFault(ssz: Uint8Array, { finalized: { view } }: View): string | null {
  const { data, messageBusSignal } = TriggeredExit.deserialize(ssz);
  const index = view.getValidatorIndex(data.pubkey);
  const validator = index === null ? null : view.getValidator(index);
  if (validator === null || validator.withdrawalCredentials[0] === 0x00) return null;
  if (!hasExecutionWithdrawalCredential(validator)) return "no credentials that can ever hold an address";
  if (!isWithdrawalAddress(validator, messageBusSignal.messageSender)) return "another address";
  return isExitInitiated(validator) ? "exit initiated" : null;
}

describe("verdicts of honest nodes", () => {
  test("permanence: what one accepts, no other rejects, whatever the chain and their views of it", () => {
    const tally: Tally = new Map();
    fc.assert(oneAcceptsOtherNeverRejects(judge, tally), { numRuns: RUNS, seed: SEED });
    // The chains are such that honest nodes differ by every rule that depends on the view.
    for (const code of ["UNKNOWN_ROOT", "TOO_YOUNG", "EXIT_INITIATED", "PENDING_WITHDRAWAL", "NO_EXECUTION_ADDRESS"]) {
      expect([...tally.keys()]).toContain(`accept VALID, ignore ${code}`);
    }
    for (const code of ["EXIT_INITIATED", "TOO_YOUNG", "UNKNOWN_VALIDATOR"]) {
      expect([...tally.keys()]).toContain(`ignore ${code}, reject ${code}`);
    }
  });

  test("permanence: what fails irreparably in the finalized view is rejected", () => {
    fc.assert(
      fc.property(scene, ({ chain, pairs }) => {
        const blocks = buildBlocks(chain);
        for (const ssz of sampleOf(operationsOf(blocks))) {
          for (const { a, follows } of pairsOf(blocks, pairs)) {
            if (irreparableFault(ssz, a) === null) continue;
            expect(judge(ssz, contextOf(a, follows)).result).toBe("reject");
          }
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });

  test("permanence: the chains are honest: whatever two nodes have finalized is on one branch", () => {
    fc.assert(
      fc.property(scene, ({ chain, pairs }) => {
        const blocks = buildBlocks(chain);
        for (const { a, b } of pairsOf(blocks, pairs)) {
          expect(isAncestor(a.finalized, b.finalized) || isAncestor(b.finalized, a.finalized)).toBe(true);
          expect(isAncestor(a.finalized, a.head)).toBe(true);
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });

  test.each<[string, Judge]>([
    ["what fails at the head alone", (ssz, context) => judge(ssz, { ...context, finalized: context.head })],
    [
      "a validator that is too young by one epoch",
      (ssz, context) => judge(ssz, { ...context, clockEpoch: context.head.epoch - 1 }),
    ],
  ])("permanence: a judge that rejects %s is found out", (_, harshJudge) => {
    const { failed } = fc.check(oneAcceptsOtherNeverRejects(harshJudge), { numRuns: 20 * RUNS, seed: SEED });
    expect(failed).toBe(true);
  });
});
