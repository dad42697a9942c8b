import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import type { RootsView } from "../../src/state/roots.ts";
import { getStoredRoots, getVerifiedRoots, processMessageBusRoot, RootsIndex } from "../../src/state/roots.ts";
import { ExitScenario } from "./exit_scenario.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;

/** Roots 0 to 255, of which 0 is the zero root: few, so that they repeat. */
function rootOf(id: number): Uint8Array {
  return new Uint8Array(32).fill(id);
}

/** The definition, slot by slot. */
class VectorModel implements RootsView {
  readonly slots: Uint8Array[];
  latestBlockNumber: number;

  constructor(slots: Uint8Array[], latestBlockNumber: number) {
    this.slots = slots;
    this.latestBlockNumber = latestBlockNumber;
  }

  store(root: Uint8Array): void {
    this.latestBlockNumber += 1;
    this.slots[this.latestBlockNumber % WINDOW] = root;
  }

  has(root: Uint8Array): boolean {
    return this.payloadsUntilEvicted(root) >= 0;
  }

  payloadsUntilEvicted(root: Uint8Array): number {
    if (root.every((byte) => byte === 0)) return -1;
    let longest = -1;
    for (let payloads = 0; payloads < WINDOW; payloads++) {
      const slot = this.slots[(this.latestBlockNumber + 1 + payloads) % WINDOW] as Uint8Array;
      if (Buffer.compare(slot, root) === 0) longest = payloads;
    }
    return longest;
  }

  clone(): VectorModel {
    return new VectorModel([...this.slots], this.latestBlockNumber);
  }
}

function expectSame(index: RootsView, model: RootsView): void {
  expect(index.latestBlockNumber).toBe(model.latestBlockNumber);
  for (let id = 0; id < 256; id++) {
    const root = rootOf(id);
    expect(index.payloadsUntilEvicted(root)).toBe(model.payloadsUntilEvicted(root));
    expect(index.has(root)).toBe(model.has(root));
  }
}

const rootIds = fc.oneof(fc.nat({ max: 255 }), fc.nat({ max: 3 }));

describe("stored roots", () => {
  test("stored roots: the index is the vector's, slot by slot, wherever the window stands", () => {
    fc.assert(
      fc.property(
        fc.array(rootIds, { minLength: WINDOW, maxLength: WINDOW }),
        fc.nat({ max: 10_000_000 }),
        (ids, latestBlockNumber) => {
          const slots = ids.map(rootOf);
          expectSame(RootsIndex.fromVector(slots, latestBlockNumber), new VectorModel(slots, latestBlockNumber));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("stored roots: payload by payload the index stays the vector's, on every fork, and parents keep theirs", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rootIds, fc.boolean()), { minLength: 1, maxLength: 3 * WINDOW }),
        fc.nat({ max: 1000 }),
        (payloads, genesisNumber) => {
          const slots = Array.from({ length: WINDOW }, () => rootOf(0));
          let index = RootsIndex.fromVector(slots, genesisNumber);
          let model = new VectorModel(slots, genesisNumber);
          let fork: { index: RootsIndex; model: VectorModel } | null = null;
          for (const [id, forksHere] of payloads) {
            if (forksHere) {
              if (fork !== null) expectSame(fork.index, fork.model);
              fork = { index, model: model.clone() };
            }
            index = index.withNextPayload(rootOf(id));
            model = model.clone();
            model.store(rootOf(id));
          }
          expectSame(index, model);
          if (fork === null) return;
          expectSame(fork.index, fork.model);
          fork.model.store(rootOf(7));
          expectSame(fork.index.withNextPayload(rootOf(7)), fork.model);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("stored roots: a state's index follows its payloads, also where block numbers jump", () => {
    const { head } = new ExitScenario();
    head.commit();
    let blockNumber = head.latestExecutionPayloadHeader.blockNumber;
    for (const [id, step] of [
      [1, 1],
      [2, 1],
      [1, 1],
      [3, 40],
      [0, 1],
      [4, 1],
    ] as const) {
      blockNumber += step;
      getStoredRoots(head);
      processMessageBusRoot(head, BigInt(blockNumber), rootOf(id));
      head.latestExecutionPayloadHeader.blockNumber = blockNumber;
      head.commit();
      expectSame(getStoredRoots(head), new VectorModel(head.messageBusRoots.getAllReadonly(), blockNumber));
    }
  });

  test("stored roots: a state and its clone have each their own", () => {
    const { head } = new ExitScenario();
    head.commit();
    getStoredRoots(head);
    const clone = head.clone() as typeof head;
    const blockNumber = head.latestExecutionPayloadHeader.blockNumber + 1;
    processMessageBusRoot(clone, BigInt(blockNumber), rootOf(9));
    clone.latestExecutionPayloadHeader.blockNumber = blockNumber;
    clone.commit();
    expect(getStoredRoots(clone).payloadsUntilEvicted(rootOf(9))).toBe(WINDOW - 1);
    expect(getStoredRoots(head).has(rootOf(9))).toBe(false);
  });

  test("stored roots: what only unverified blocks brought is not there, what a verified one brought too is", () => {
    const { head } = new ExitScenario();
    const latest = head.latestExecutionPayloadHeader.blockNumber;
    head.messageBusRoots.set((latest - 5) % WINDOW, rootOf(1));
    head.messageBusRoots.set((latest - 1) % WINDOW, rootOf(1));
    head.messageBusRoots.set(latest % WINDOW, rootOf(2));
    head.commit();
    const verified = getVerifiedRoots(head, new Set([latest - 1, latest]));
    expect(verified.payloadsUntilEvicted(rootOf(1))).toBe(WINDOW - 1 - 5);
    expect(verified.has(rootOf(2))).toBe(false);
    expect(getStoredRoots(head).payloadsUntilEvicted(rootOf(1))).toBe(WINDOW - 1 - 1);
    expect(getVerifiedRoots(head, new Set()).has(rootOf(2))).toBe(true);
  });

  test("stored roots: an unverified root does not count either where a later unverified payload skips numbers", () => {
    const { head } = new ExitScenario();
    const latest = head.latestExecutionPayloadHeader.blockNumber;
    const jumped = latest + 1 + WINDOW + 5;
    processMessageBusRoot(head, BigInt(latest + 1), rootOf(1));
    processMessageBusRoot(head, BigInt(jumped), rootOf(2));
    head.latestExecutionPayloadHeader.blockNumber = jumped;
    head.commit();
    expect(getStoredRoots(head).has(rootOf(1))).toBe(true);
    expect(getVerifiedRoots(head, new Set([latest + 1, jumped])).has(rootOf(1))).toBe(false);
  });
});
