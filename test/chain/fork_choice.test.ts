import { describe, expect, it } from "vitest";
import type { CodedError } from "../../src/base/errors.ts";
import { type Checkpoint, ForkChoice, type ForkChoiceBlock } from "../../src/chain/fork_choice.ts";

const GENESIS: Checkpoint = { epoch: 0, root: "g" };
/** 64 validators of 32 increments: a slot's committee weighs 256, the proposer's boost 102.4, so three votes and a bit. */
const BALANCES = new Array<number>(64).fill(32);

function block(root: string, parentRoot: string, slot: number, over: Partial<ForkChoiceBlock> = {}): ForkChoiceBlock {
  return {
    root,
    parentRoot,
    slot,
    justified: GENESIS,
    finalized: GENESIS,
    unrealizedJustified: over.justified ?? GENESIS,
    unrealizedFinalized: over.finalized ?? GENESIS,
    status: "VALID",
    ...over,
  };
}

function create(slot: number): ForkChoice {
  return new ForkChoice(block("g", "-", 0), 0, slot, () => BALANCES);
}

function codeOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    return (error as CodedError).code;
  }
  return "none";
}

describe("fork choice", () => {
  it("follows the only chain, and breaks a tie by the higher root", () => {
    const choice = create(3);
    choice.onBlock(block("a", "g", 1), false);
    expect(choice.getHead()).toBe("a");
    choice.onBlock(block("b", "g", 1), false);
    expect(choice.getHead()).toBe("b");
  });

  it("follows the heavier branch, counting each validator's latest vote once", () => {
    const choice = create(3);
    choice.onBlock(block("a", "g", 1), false);
    choice.onBlock(block("b", "g", 1), false);
    choice.onBlock(block("b2", "b", 2), false);
    choice.onAttestation([0, 1, 2], "a", 0, 1);
    expect(choice.getHead()).toBe("a");
    choice.onAttestation([0, 1], "b2", 0, 2);
    expect(choice.getHead()).toBe("a");
    choice.onTick(8);
    choice.onBlock(block("a8", "a", 8), false);
    choice.onTick(10);
    choice.onAttestation([0, 1], "b2", 1, 9);
    expect(choice.getHead()).toBe("b2");
  });

  it("counts an attestation of the current slot from the next slot on", () => {
    const choice = create(2);
    choice.onBlock(block("a", "g", 1), false);
    choice.onBlock(block("b", "g", 1), false);
    choice.onAttestation([0], "a", 0, 2);
    expect(choice.getHead()).toBe("b");
    choice.onTick(3);
    expect(choice.getHead()).toBe("a");
  });

  it("boosts the first timely block of its slot, against three votes but not four, until the slot ends", () => {
    const boosted = create(2);
    boosted.onBlock(block("a", "g", 1), false);
    boosted.onAttestation([0, 1, 2], "a", 0, 1);
    boosted.onBlock(block("b", "g", 2), true);
    expect(boosted.getHead()).toBe("b");
    boosted.onAttestation([3], "a", 0, 1);
    expect(boosted.getHead()).toBe("a");

    const ended = create(2);
    ended.onBlock(block("a", "g", 1), false);
    ended.onAttestation([0], "a", 0, 1);
    ended.onBlock(block("b", "g", 2), true);
    expect(ended.getHead()).toBe("b");
    ended.onTick(3);
    expect(ended.getHead()).toBe("a");
  });

  it("boosts neither a second block of the slot nor a late one", () => {
    const choice = create(2);
    choice.onBlock(block("a", "g", 2), true);
    choice.onBlock(block("b", "g", 2), true);
    expect(choice.getHead()).toBe("a");
    const late = create(2);
    late.onBlock(block("a", "g", 1), false);
    late.onAttestation([0], "a", 0, 1);
    late.onBlock(block("b", "g", 2), false);
    expect(late.getHead()).toBe("a");
  });

  it("leaves out branches whose votes stem from an older justified checkpoint", () => {
    const choice = create(40);
    choice.onBlock(block("a", "g", 8), false);
    choice.onBlock(block("old", "g", 9), false);
    choice.onAttestation([0, 1, 2, 3, 4], "old", 1, 9);
    expect(choice.getHead()).toBe("old");
    const justified = { epoch: 3, root: "a" };
    choice.onBlock(block("b", "a", 33, { justified }), false);
    expect(choice.justified).toEqual(justified);
    expect(choice.getHead()).toBe("b");
  });

  it("realizes a pulled-up justification at the epoch's end", () => {
    const choice = create(20);
    choice.onBlock(block("a", "g", 16), false);
    choice.onBlock(block("b", "a", 20, { unrealizedJustified: { epoch: 2, root: "a" } }), false);
    expect(choice.justified.epoch).toBe(0);
    choice.onTick(24);
    expect(choice.justified).toEqual({ epoch: 2, root: "a" });
  });

  it("realizes the pulled-up justification of a block from an earlier epoch at once", () => {
    const choice = create(24);
    choice.onBlock(block("a", "g", 16), false);
    choice.onBlock(block("b", "a", 20, { unrealizedJustified: { epoch: 2, root: "a" } }), false);
    expect(choice.justified).toEqual({ epoch: 2, root: "a" });
  });

  it("discounts equivocating validators for good", () => {
    const choice = create(3);
    choice.onBlock(block("a", "g", 1), false);
    choice.onBlock(block("b", "g", 1), false);
    choice.onAttestation([0], "a", 0, 1);
    choice.onEquivocation([0]);
    expect(choice.getHead()).toBe("b");
    choice.onTick(20);
    choice.onAttestation([0], "a", 2, 19);
    expect(choice.getHead()).toBe("b");
  });

  it("follows an optimistic head, while the verified head stays on verified payloads", () => {
    const choice = create(4);
    choice.onBlock(block("a", "g", 1), false);
    choice.onBlock(block("b", "a", 2, { status: "OPTIMISTIC" }), false);
    choice.onBlock(block("c", "b", 3), false);
    expect([choice.getHead(), choice.getVerifiedHead()]).toEqual(["c", "a"]);
    expect(choice.isVerified("c")).toBe(false);
    expect(choice.optimisticRoots()).toEqual(["b"]);
    choice.setValid("b");
    expect(choice.getVerifiedHead()).toBe("c");
  });

  it("removes an invalid payload with all that stands on it, and refuses its children", () => {
    const choice = create(4);
    choice.onBlock(block("a", "g", 1), false);
    choice.onBlock(block("b", "g", 1, { status: "OPTIMISTIC" }), false);
    choice.onBlock(block("c", "b", 2), false);
    expect(choice.getHead()).toBe("c");
    expect(choice.setInvalid("b")).toEqual(["b", "c"]);
    expect(choice.getHead()).toBe("a");
    expect(codeOf(() => choice.onBlock(block("d", "c", 3), false))).toBe("INVALID_ANCESTOR");
    expect(codeOf(() => choice.onBlock(block("b", "g", 1), false))).toBe("INVALID_ANCESTOR");
  });

  it("goes on from the finalized block when the justified one has an invalid payload", () => {
    const choice = create(24);
    choice.onBlock(block("a", "g", 8, { status: "OPTIMISTIC" }), false);
    choice.onBlock(block("b", "a", 17, { justified: { epoch: 1, root: "a" } }), false);
    choice.onBlock(block("other", "g", 9), false);
    expect(choice.getHead()).toBe("b");
    choice.setInvalid("a");
    expect(choice.justified).toEqual(GENESIS);
    expect(choice.getHead()).toBe("other");
  });

  it("prunes to the finalized block, and refuses blocks beside it", () => {
    const choice = create(33);
    choice.onBlock(block("a", "g", 8), false);
    choice.onBlock(block("x", "g", 9), false);
    const over = { justified: { epoch: 2, root: "a" }, finalized: { epoch: 1, root: "a" } };
    choice.onBlock(block("b", "a", 32, over), false);
    expect(choice.finalized).toEqual({ epoch: 1, root: "a" });
    expect(codeOf(() => choice.onBlock(block("y", "x", 33), false))).toBe("NOT_DESCENDANT_OF_FINALIZED");
    expect(choice.prune()).toEqual(["g", "x"]);
    expect(choice.size).toBe(2);
    expect(choice.getHead()).toBe("b");
    expect(choice.getAncestor("b", 3)).toBe(null);
    expect(codeOf(() => choice.onBlock(block("y", "x", 33), false))).toBe("UNKNOWN_PARENT");
  });

  it("takes a finalized block as verified whatever its status was", () => {
    const choice = create(33);
    choice.onBlock(block("a", "g", 8, { status: "OPTIMISTIC" }), false);
    const over = { justified: { epoch: 2, root: "a" }, finalized: { epoch: 1, root: "a" } };
    choice.onBlock(block("b", "a", 32, over), false);
    expect(choice.getVerifiedHead()).toBe("g");
    choice.prune();
    expect(choice.getVerifiedHead()).toBe("b");
  });

  it("finds checkpoint blocks through empty slots", () => {
    const choice = create(30);
    choice.onBlock(block("a", "g", 5), false);
    choice.onBlock(block("b", "a", 19), false);
    expect(choice.getCheckpointBlock("b", 2)).toBe("a");
    expect(choice.getCheckpointBlock("b", 3)).toBe("b");
    expect(choice.getCheckpointBlock("unknown", 0)).toBe(null);
  });
});
