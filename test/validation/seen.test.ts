import { describe, expect, test } from "vitest";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, GOSSIP_ROOT_MARGIN } from "../../src/spec/preset.ts";
import { RootsIndex } from "../../src/state/roots.ts";
import { SeenExits } from "../../src/validation/seen.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const root = new Uint8Array(32).fill(1);
const pubkeyOf = (id: number) => new Uint8Array(48).fill(id);
const empty = RootsIndex.empty;

function afterPayloads(count: number): RootsIndex {
  let index = empty.withNextPayload(root);
  for (let i = 0; i < count; i++) index = index.withNextPayload(new Uint8Array(32));
  return index;
}

describe("seen exits", () => {
  test("seen exits: one is seen while its root is lasting, and not from then on", () => {
    const seen = new SeenExits();
    seen.add(pubkeyOf(3), root);
    expect(seen.has(pubkeyOf(3), afterPayloads(WINDOW - 1 - GOSSIP_ROOT_MARGIN))).toBe(true);
    expect(seen.has(pubkeyOf(3), afterPayloads(WINDOW - GOSSIP_ROOT_MARGIN))).toBe(false);
    expect(seen.has(pubkeyOf(4), afterPayloads(0))).toBe(false);
  });

  test("seen exits: pruning forgets those whose roots no longer last, and no others", () => {
    const seen = new SeenExits();
    seen.add(pubkeyOf(3), root);
    seen.add(pubkeyOf(4), new Uint8Array(32).fill(2));
    seen.prune(afterPayloads(0));
    expect(seen.size).toBe(1);
    expect(seen.has(pubkeyOf(3), afterPayloads(0))).toBe(true);
  });

  test("seen exits: beyond the bound the longest remembered goes, and a renewed one counts as new", () => {
    const seen = new SeenExits(2);
    for (const id of [1, 2, 1, 3]) seen.add(pubkeyOf(id), root);
    expect(seen.size).toBe(2);
    expect([1, 2, 3].map((id) => seen.has(pubkeyOf(id), afterPayloads(0)))).toEqual([true, false, true]);
  });
});
