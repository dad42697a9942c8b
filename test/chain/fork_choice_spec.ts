/** get_head as the specification writes it: slow, and plain enough to be read against it. Blocks only, no time. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import type { Checkpoint, ForkChoiceBlock } from "../../src/chain/fork_choice.ts";

export interface SpecStore {
  readonly blocks: ReadonlyMap<string, ForkChoiceBlock>;
  readonly latestMessages: ReadonlyMap<number, { readonly root: string; readonly epoch: number }>;
  readonly equivocating: ReadonlySet<number>;
  readonly balances: readonly number[];
  readonly boostRoot: string | null;
  readonly justified: Checkpoint;
  readonly finalized: Checkpoint;
  readonly slot: number;
}

/** @spec phase0/fork-choice.md#get_head */
export function getHead(store: SpecStore): string {
  const blocks = getFilteredBlockTree(store);
  let head = store.justified.root;
  for (;;) {
    const children = [...blocks].filter((root) => store.blocks.get(root)?.parentRoot === head);
    if (children.length === 0) return head;
    head = children.reduce((best, root) => {
      const difference = getWeight(store, root) - getWeight(store, best);
      return difference > 0 || (difference === 0 && root > best) ? root : best;
    });
  }
}

function getAncestor(store: SpecStore, root: string, slot: number): string {
  const block = store.blocks.get(root) as ForkChoiceBlock;
  return block.slot > slot ? getAncestor(store, block.parentRoot, slot) : root;
}

function getWeight(store: SpecStore, root: string): number {
  const { slot } = store.blocks.get(root) as ForkChoiceBlock;
  let weight = 0;
  for (const [index, message] of store.latestMessages) {
    if (store.equivocating.has(index)) continue;
    if (getAncestor(store, message.root, slot) === root) weight += store.balances[index] as number;
  }
  if (store.boostRoot !== null && getAncestor(store, store.boostRoot, slot) === root) {
    const total = store.balances.reduce((sum, balance) => sum + balance, 0);
    weight += ((total / SLOTS_PER_EPOCH) * 40) / 100;
  }
  return weight;
}

function getFilteredBlockTree(store: SpecStore): Set<string> {
  const blocks = new Set<string>();
  filterBlockTree(store, store.justified.root, blocks);
  return blocks;
}

function filterBlockTree(store: SpecStore, root: string, blocks: Set<string>): boolean {
  const block = store.blocks.get(root) as ForkChoiceBlock;
  const children = [...store.blocks.values()].filter(({ parentRoot }) => parentRoot === root);
  if (children.length > 0) {
    const isAnyViable = children.map((child) => filterBlockTree(store, child.root, blocks)).some(Boolean);
    if (isAnyViable) blocks.add(root);
    return isAnyViable;
  }
  const currentEpoch = Math.floor(store.slot / SLOTS_PER_EPOCH);
  const isPrevious = currentEpoch > Math.floor(block.slot / SLOTS_PER_EPOCH);
  const votingSource = isPrevious ? block.unrealizedJustified : block.justified;
  const correctJustified =
    store.justified.epoch === 0 ||
    votingSource.epoch === store.justified.epoch ||
    votingSource.epoch + 2 >= currentEpoch;
  const finalizedBlock = getAncestor(store, root, store.finalized.epoch * SLOTS_PER_EPOCH);
  const correctFinalized = store.finalized.epoch === 0 || store.finalized.root === finalizedBlock;
  if (correctJustified && correctFinalized) blocks.add(root);
  return correctJustified && correctFinalized;
}
