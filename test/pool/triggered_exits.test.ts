import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type ExitOrigin, TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import { RootsIndex } from "../../src/state/roots.ts";
import type { StateView } from "../../src/state/view.ts";
import type { VerifiedTriggeredExit } from "../../src/validation/triggered_exit.ts";
import { ExitScenario } from "../state/exit_scenario.ts";
import { verifyExit } from "./verify_exit.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const VALIDATORS = [3, 4, 5];
const PROOFS_PER_VALIDATOR = 3;

/** exits[v][p]: the exit of VALIDATORS[v] proven against root p, the same p for the same root. */
const exits = createExits();

function createExits(): VerifiedTriggeredExit[][] {
  const scenario = new ExitScenario();
  const sent = VALIDATORS.map((validatorIndex) => scenario.send(validatorIndex));
  const counts: number[] = [];
  for (let p = 0; p < PROOFS_PER_VALIDATOR; p++) {
    scenario.send(0);
    scenario.storeRoot(scenario.head, p);
    counts.push(scenario.tree.count);
  }
  return sent.map((one) => counts.map((count) => verifyExit(scenario, scenario.operation(one, count))));
}

function exitOf(validator: number, proof = 0): VerifiedTriggeredExit {
  return exits[validator]?.[proof] as VerifiedTriggeredExit;
}

function rootOf(proof: number): Uint8Array {
  return exitOf(0, proof).root;
}

/** The roots after payloads that brought these proofs' roots; null brings none. */
function headAfter(payloads: readonly (number | null)[]): RootsIndex {
  let index = RootsIndex.empty;
  for (const proof of payloads) index = index.withNextPayload(proof === null ? new Uint8Array(32) : rootOf(proof));
  return index;
}

/** A finalized view: which validators' exits are initiated, and how far its payloads have come. */
function finalizedView(slot: number, exited: readonly number[], latestBlockNumber: number): StateView {
  return {
    slot,
    epoch: 0,
    getValidatorIndex: () => null,
    getValidator: (index) => ({
      withdrawalCredentials: new Uint8Array(32),
      activationEpoch: 0,
      exitEpoch: exited.includes(index) ? 9 : Number.POSITIVE_INFINITY,
    }),
    hasPendingWithdrawal: () => false,
    roots: { latestBlockNumber, has: () => false, payloadsUntilEvicted: () => -1 },
  };
}

function pendingOf(pool: TriggeredExitPool): number[] {
  return [...pool.pending()].map(({ validatorIndex }) => validatorIndex);
}

const block = { blockRoot: "0xb1", slot: 7 };

describe("pool of triggered exits", () => {
  let pool: TriggeredExitPool;
  const head = headAfter([0, 1, 2]);

  beforeEach(() => {
    pool = new TriggeredExitPool();
  });

  test("pool: holds one exit a validator, the one whose root lasts longest", () => {
    expect(pool.insert(exitOf(0, 1), "network", head)).toBe("ADDED");
    expect(pool.insert(exitOf(0, 0), "network", head)).toBe("KEPT");
    expect(pool.insert(exitOf(0, 1), "network", head)).toBe("KEPT");
    expect(pool.insert(exitOf(0, 2), "network", head)).toBe("REPLACED");
    expect(pool.get(3)).toBe(exitOf(0, 2));
    expect(pool.size).toBe(1);
  });

  test("pool: which proof lasts longest is asked of the head as it is now", () => {
    pool.insert(exitOf(0, 2), "network", head);
    expect(pool.insert(exitOf(0, 0), "network", headAfter([0, 1, 2, 0]))).toBe("REPLACED");
  });

  test("pool: full, it lets what gossip brings wait outside, and for an own submission what would be packed last", () => {
    pool = new TriggeredExitPool(2);
    pool.insert(exitOf(0, 0), "network", head);
    pool.insert(exitOf(1, 2), "network", head);
    expect(pool.insert(exitOf(2), "network", head)).toBe("FULL");
    expect(pool.insert(exitOf(2), "local", head)).toBe("ADDED");
    expect(pendingOf(pool)).toEqual([3, 5]);
    expect(pool.insert(exitOf(1), "local", head)).toBe("ADDED");
    expect(pool.insert(exitOf(0), "local", head)).toBe("FULL");
    expect(pool.takeWaiting(9)).toEqual([]);
    expect(pool.waitingCount).toBe(1);
  });

  test("pool: an included exit is kept until finality, and tells its fate", () => {
    pool.insert(exitOf(0), "local", head);
    pool.onPublished(3, 2);
    expect(pool.localStatus(3)).toEqual({ state: "pending", publishedTo: 2 });
    pool.onBlockIncluded(block, [3, 4]);
    expect(pool.localStatus(3)).toEqual({ state: "included", publishedTo: 2, ...block });
    expect([pool.size, pendingOf(pool)]).toEqual([1, []]);
    pool.onFinalized(finalizedView(6, [], 3), head);
    expect(pool.size).toBe(1);
    pool.onFinalized(finalizedView(8, [3], 3), head);
    expect(pool.size).toBe(0);
    expect(pool.localStatus(3)).toEqual({ state: "finalized", publishedTo: 2, ...block });
  });

  test("pool: a reorg gives back the exits of the blocks that it orphans", () => {
    pool.insert(exitOf(0), "local", head);
    pool.insert(exitOf(1), "network", head);
    pool.onBlockIncluded(block, [3]);
    pool.onBlockIncluded({ blockRoot: "0xb2", slot: 8 }, [4]);
    pool.onReorg(new Set(["0xb1"]));
    expect(pendingOf(pool)).toEqual([3]);
    expect(pool.localStatus(3)).toEqual({ state: "pending", publishedTo: 0 });
  });

  test("pool: an exit that was initiated otherwise is dropped at finality", () => {
    pool.insert(exitOf(0), "local", head);
    pool.onFinalized(finalizedView(8, [3], 3), head);
    expect(pool.localStatus(3)).toEqual({ state: "dropped", publishedTo: 0 });
  });

  test("pool: an exit is dropped once finality has passed its root, not when only this head lacks it", () => {
    pool.insert(exitOf(0, 0), "local", head);
    const lacking = headAfter([1, 2]);
    pool.onFinalized(finalizedView(8, [], WINDOW), lacking);
    expect(pool.size).toBe(1);
    pool.onFinalized(finalizedView(9, [], WINDOW + 1), lacking);
    expect(pool.size).toBe(0);
    expect(pool.localStatus(3)).toEqual({ state: "dropped", publishedTo: 0 });
    expect(pool.insert(exitOf(0, 1), "local", head)).toBe("ADDED");
    expect(pool.localStatus(3)).toEqual({ state: "pending", publishedTo: 0 });
  });

  test("pool: a gossiped exit that is submitted here too becomes an own one", () => {
    expect(pool.adopt(3)).toBe(false);
    pool.insert(exitOf(0), "network", head);
    expect(pool.localStatus(3)).toBeNull();
    expect(pool.adopt(3)).toBe(true);
    expect(pool.localStatus(3)).toEqual({ state: "pending", publishedTo: 0 });
  });
});

type Command =
  | { do: "insert"; validator: number; proof: number; origin: ExitOrigin }
  | { do: "payload"; proof: number | null }
  | { do: "include"; blockRoot: string; validators: number[] }
  | { do: "orphan"; blockRoot: string }
  | { do: "finalize"; exited: number[]; lagging: number };

const validator = fc.nat({ max: VALIDATORS.length - 1 });
const proof = fc.nat({ max: PROOFS_PER_VALIDATOR - 1 });
const blockRoot = fc.constantFrom("0xb1", "0xb2", "0xb3");
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constant("insert" as const),
    validator,
    proof,
    origin: fc.constantFrom<ExitOrigin>("local", "network"),
  }),
  fc.record({ do: fc.constant("payload" as const), proof: fc.option(proof, { freq: 2 }) }),
  fc.record({ do: fc.constant("include" as const), blockRoot, validators: fc.array(validator, { maxLength: 2 }) }),
  fc.record({ do: fc.constant("orphan" as const), blockRoot }),
  fc.record({
    do: fc.constant("finalize" as const),
    exited: fc.array(validator, { maxLength: 1 }),
    lagging: fc.nat({ max: 4 }),
  }),
);

describe("pool beside its model", () => {
  test("pool: whatever happens, it holds for each validator the longest-lived proof offered, and gives back what is orphaned", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (commands, limit) => {
        const pool = new TriggeredExitPool(limit);
        const model = new Map<number, { proof: number; local: boolean; blockRoot: string | null }>();
        let head = headAfter([0, 1, 2]);
        const lifeOf = (proofNumber: number) => head.payloadsUntilEvicted(rootOf(proofNumber));

        for (const step of commands) {
          if (step.do === "insert") {
            const outcome = pool.insert(exitOf(step.validator, step.proof), step.origin, head);
            const held = model.get(step.validator);
            if (held !== undefined) {
              held.local ||= step.origin === "local";
              const better = lifeOf(step.proof) > lifeOf(held.proof);
              if (better) held.proof = step.proof;
              expect(outcome).toBe(better ? "REPLACED" : "KEPT");
            } else {
              const gossiped = [...model].filter(([, entry]) => !entry.local);
              const longest = Math.max(...gossiped.map(([, entry]) => lifeOf(entry.proof)));
              const last = gossiped.find(([, entry]) => lifeOf(entry.proof) === longest);
              const isFull = model.size >= limit;
              const hasRoom = !isFull || (step.origin === "local" && last !== undefined);
              expect(outcome).toBe(hasRoom ? "ADDED" : "FULL");
              if (isFull && hasRoom && last !== undefined) model.delete(last[0]);
              if (hasRoom) {
                model.set(step.validator, { proof: step.proof, local: step.origin === "local", blockRoot: null });
              }
            }
          } else if (step.do === "payload") {
            head = head.withNextPayload(step.proof === null ? new Uint8Array(32) : rootOf(step.proof));
          } else if (step.do === "include") {
            pool.onBlockIncluded(
              { blockRoot: step.blockRoot, slot: 5 },
              step.validators.map((v) => VALIDATORS[v] as number),
            );
            for (const v of step.validators) {
              const entry = model.get(v);
              if (entry !== undefined) entry.blockRoot = step.blockRoot;
            }
          } else if (step.do === "orphan") {
            pool.onReorg(new Set([step.blockRoot]));
            for (const entry of model.values()) if (entry.blockRoot === step.blockRoot) entry.blockRoot = null;
          } else {
            const exited = step.exited.map((v) => VALIDATORS[v] as number);
            pool.onFinalized(finalizedView(9, exited, head.latestBlockNumber - step.lagging), head);
            for (const v of step.exited) model.delete(v);
          }

          expect(pool.size).toBe(model.size);
          for (const [v, entry] of model) expect(pool.get(VALIDATORS[v] as number)).toBe(exitOf(v, entry.proof));
          const pending = [...model].filter(([, entry]) => entry.blockRoot === null).map(([v]) => VALIDATORS[v]);
          expect(pendingOf(pool)).toEqual(pending);
        }
      }),
      { numRuns: 300 },
    );
  });
});
