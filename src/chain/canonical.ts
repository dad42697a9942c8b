/** The chain from the finalized block to the head, and how it changes. */
import type { ChainBlock } from "./block.ts";
import type { RootHex } from "./root_hex.ts";

export interface HeadChange {
  /** Blocks that left the canonical chain, newest first; empty unless it is a reorg. */
  readonly removed: readonly ChainBlock[];
  /** Blocks that joined it, oldest first; the last is the head. */
  readonly added: readonly ChainBlock[];
  /** The block that both chains stand on. */
  readonly commonAncestor: ChainBlock;
}

export class CanonicalChain {
  /** Ascending; the first is the finalized block, the last the head. */
  private blocks: ChainBlock[];
  private readonly bySlot = new Map<number, ChainBlock>();

  constructor(anchor: ChainBlock) {
    this.blocks = [anchor];
    this.bySlot.set(anchor.slot, anchor);
  }

  get head(): ChainBlock {
    return this.blocks.at(-1) as ChainBlock;
  }

  get finalized(): ChainBlock {
    return this.blocks[0] as ChainBlock;
  }

  atSlot(slot: number): ChainBlock | null {
    return this.bySlot.get(slot) ?? null;
  }

  includes(block: ChainBlock): boolean {
    return this.bySlot.get(block.slot)?.root === block.root;
  }

  /** Blocks with `startSlot` ≤ slot < `endSlot`, ascending. */
  range(startSlot: number, endSlot: number): ChainBlock[] {
    return this.blocks.filter(({ slot }) => slot >= startSlot && slot < endSlot);
  }

  /** Null where the head stays. `getBlock` must know the new head and its ancestors down to the chain. */
  setHead(root: RootHex, getBlock: (root: RootHex) => ChainBlock | null): HeadChange | null {
    if (this.head.root === root) return null;
    const added: ChainBlock[] = [];
    let at = getBlock(root);
    while (at !== null && !this.includes(at)) {
      added.push(at);
      at = getBlock(at.parentRoot);
    }
    const commonAncestor = at ?? this.finalized;
    const removed: ChainBlock[] = [];
    while (this.head !== commonAncestor && this.blocks.length > 1) {
      const gone = this.blocks.pop() as ChainBlock;
      this.bySlot.delete(gone.slot);
      removed.push(gone);
    }
    added.reverse();
    for (const block of added) {
      this.blocks.push(block);
      this.bySlot.set(block.slot, block);
    }
    return { removed, added, commonAncestor };
  }

  /** Makes `root` the first block; returns the blocks before it, and it, ascending: those that are final now. */
  finalize(root: RootHex): ChainBlock[] {
    const index = this.blocks.findIndex((block) => block.root === root);
    if (index <= 0) return [];
    const final = this.blocks.slice(1, index + 1);
    for (const { slot } of this.blocks.slice(0, index)) this.bySlot.delete(slot);
    this.blocks = this.blocks.slice(index);
    return final;
  }
}
