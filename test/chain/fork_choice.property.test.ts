import { SLOTS_PER_EPOCH } from "@lodestar/params";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Checkpoint, ForkChoice, type ForkChoiceBlock } from "../../src/chain/fork_choice.ts";
import { getHead } from "./fork_choice_spec.ts";

const VALIDATORS = 12;
const GENESIS: Checkpoint = { epoch: 0, root: "r00" };
const GENESIS_BLOCK: ForkChoiceBlock = {
  root: GENESIS.root,
  parentRoot: "-",
  slot: 0,
  justified: GENESIS,
  finalized: GENESIS,
  unrealizedJustified: GENESIS,
  unrealizedFinalized: GENESIS,
  status: "VALID",
};

/** What happens in turn; numbers choose among what exists by then. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("block" as const),
      parent: fc.nat(),
      gap: fc.nat(5),
      timely: fc.boolean(),
      justify: fc.nat(2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("vote" as const), voter: fc.nat(VALIDATORS - 1), block: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("tick" as const), slots: fc.integer({ min: 1, max: 10 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("equivocation" as const), voter: fc.nat(VALIDATORS - 1) }) },
);

it("fork choice: agrees with the specification's get_head over random trees, votes, boosts and justifications", () => {
  const balances = fc.array(fc.integer({ min: 0, max: 64 }), { minLength: VALIDATORS, maxLength: VALIDATORS });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), balances, (steps, weights) => {
      let slot = 1;
      const choice = new ForkChoice(GENESIS_BLOCK, 0, slot, () => weights);
      const blocks = new Map([[GENESIS.root, GENESIS_BLOCK]]);
      const latestMessages = new Map<number, { root: string; epoch: number }>();
      const equivocating = new Set<number>();
      let boostRoot: string | null = null;
      for (const next of steps) {
        const roots = [...blocks.keys()];
        if (next.kind === "tick") {
          slot += next.slots;
          boostRoot = null;
          choice.onTick(slot);
        } else if (next.kind === "equivocation") {
          equivocating.add(next.voter);
          choice.onEquivocation([next.voter]);
        } else if (next.kind === "vote") {
          // In the slot before, so that it counts at once; for a block that was there.
          const root = roots[next.block % roots.length] as string;
          const epoch = Math.floor((slot - 1) / SLOTS_PER_EPOCH);
          if ((blocks.get(root)?.slot ?? 0) > slot - 1) continue;
          choice.onAttestation([next.voter], root, epoch, slot - 1);
          const known = latestMessages.get(next.voter);
          if (known === undefined || epoch > known.epoch) latestMessages.set(next.voter, { root, epoch });
        } else {
          const parent = blocks.get(roots[next.parent % roots.length] as string) as ForkChoiceBlock;
          const blockSlot = Math.min(parent.slot + 1 + next.gap, slot);
          if (blockSlot <= parent.slot) continue;
          const block = {
            ...childOf(blocks, parent, blockSlot, next.justify),
            root: `r${String(roots.length).padStart(2, "0")}`,
          };
          const isFirstTimely = next.timely && blockSlot === slot && boostRoot === null;
          if (isFirstTimely) boostRoot = block.root;
          blocks.set(block.root, block);
          choice.onBlock(block, next.timely);
        }
        const { finalized, justified } = choice;
        const store = {
          blocks,
          latestMessages,
          equivocating,
          balances: weights,
          boostRoot,
          justified,
          finalized,
          slot,
        };
        expect(choice.getHead()).toBe(getHead(store));
      }
    }),
    { numRuns: 300 },
  );
});

/** A block whose state may justify the checkpoint block of its previous epoch: 0, at once; 1, when pulled up. */
function childOf(blocks: Map<string, ForkChoiceBlock>, parent: ForkChoiceBlock, slot: number, justify: number) {
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH) - 1;
  let checkpoint = parent.unrealizedJustified;
  if (justify < 2 && epoch > checkpoint.epoch) {
    let at = parent;
    while (at.slot > epoch * SLOTS_PER_EPOCH) at = blocks.get(at.parentRoot) as ForkChoiceBlock;
    checkpoint = { epoch, root: at.root };
  }
  return {
    parentRoot: parent.root,
    slot,
    justified: justify === 1 ? parent.justified : checkpoint,
    finalized: GENESIS,
    unrealizedJustified: checkpoint,
    unrealizedFinalized: GENESIS,
    status: "VALID" as const,
  };
}
