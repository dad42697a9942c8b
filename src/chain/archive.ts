/** Finalized blocks, for those who sync from us. */

import type { WireBlock } from "./ports.ts";
import type { RootHex } from "./root_hex.ts";

export interface ArchivedBlock extends WireBlock {
  readonly slot: number;
  readonly root: RootHex;
}

export interface BlockArchive {
  /** In ascending order of slots. */
  put(blocks: ArchivedBlock[]): Promise<void>;
  getByRoot(root: RootHex): Promise<ArchivedBlock | null>;
  getBySlot(slot: number): Promise<ArchivedBlock | null>;
  /** Blocks with `startSlot` ≤ slot < `endSlot`, ascending. */
  range(startSlot: number, endSlot: number): AsyncIterable<ArchivedBlock>;
  /** First slot that is served; 0 while nothing has been dropped. */
  readonly earliestSlot: number;
}

/** Protects memory: 64 MiB are 10,000 blocks of a devnet, or an hour of mainnet's. The oldest are dropped. */
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;

export class MemoryArchive implements BlockArchive {
  private readonly maxBytes: number;
  /** In ascending order of slots. */
  private readonly bySlot = new Map<number, ArchivedBlock>();
  private readonly byRoot = new Map<RootHex, ArchivedBlock>();
  private sizeBytes = 0;
  earliestSlot = 0;

  constructor(maxBytes = MAX_ARCHIVE_BYTES) {
    this.maxBytes = maxBytes;
  }

  async put(blocks: ArchivedBlock[]): Promise<void> {
    for (const block of blocks) {
      if (this.byRoot.has(block.root)) continue;
      this.bySlot.set(block.slot, block);
      this.byRoot.set(block.root, block);
      this.sizeBytes += block.ssz.length;
    }
    for (const [slot, block] of this.bySlot) {
      if (this.sizeBytes <= this.maxBytes) break;
      this.bySlot.delete(slot);
      this.byRoot.delete(block.root);
      this.sizeBytes -= block.ssz.length;
      this.earliestSlot = slot + 1;
    }
  }

  async getByRoot(root: RootHex): Promise<ArchivedBlock | null> {
    return this.byRoot.get(root) ?? null;
  }

  async getBySlot(slot: number): Promise<ArchivedBlock | null> {
    return this.bySlot.get(slot) ?? null;
  }

  async *range(startSlot: number, endSlot: number): AsyncGenerator<ArchivedBlock> {
    for (let slot = startSlot; slot < endSlot; slot++) {
      const block = this.bySlot.get(slot);
      if (block !== undefined) yield block;
    }
  }
}
