/** What the chain tells, as plain values. */
import type { PayloadRef } from "./block.ts";
import type { Checkpoint } from "./fork_choice.ts";
import type { RootHex } from "./root_hex.ts";

export interface IncludedExit {
  /** 48 bytes. */
  readonly pubkey: Uint8Array;
  readonly validatorIndex: number;
}

/** A block as events tell of it. */
export interface BlockSummary {
  readonly slot: number;
  readonly root: RootHex;
  readonly payload: PayloadRef;
  readonly triggeredExits: readonly IncludedExit[];
}

export interface HeadEvent extends BlockSummary {
  /** Whether it or a block below it has an unverified payload. */
  readonly optimistic: boolean;
  /** Null where the new head stands on the old one. */
  readonly reorg: {
    /** Blocks that left the canonical chain. */
    readonly depth: number;
    readonly commonAncestor: BlockSummary;
  } | null;
  /** Newest first. */
  readonly removed: readonly BlockSummary[];
  /** Oldest first, up to the head. */
  readonly added: readonly BlockSummary[];
}

export interface FinalizedEvent extends Checkpoint {
  readonly slot: number;
  /** Blocks that became final, oldest first, up to the finalized block. */
  readonly blocks: readonly BlockSummary[];
}

export type ChainEvents = {
  /** A block is imported, on any branch. */
  block: [BlockSummary & { readonly optimistic: boolean }];
  /** A validator's exit was set by a block, on any branch. */
  exit_initiated: [IncludedExit & { readonly slot: number; readonly root: RootHex; readonly exitEpoch: number }];
  head: [HeadEvent];
  /** The payload of an imported block is verified now. */
  verified: [BlockSummary];
  finalized: [FinalizedEvent];
};
