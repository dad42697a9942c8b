/** The chain as it can be read: finalized blocks from the archive, the others and their states from memory. */
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { MessageBusBeaconConfig } from "../spec/config.ts";
import type { CachedState } from "../state/beacon_state.ts";
import type { BlockArchive } from "./archive.ts";
import { type ChainBlock, deserializeBlock, serializeBlock } from "./block.ts";
import type { BlockStore } from "./block_store.ts";
import type { CanonicalChain } from "./canonical.ts";
import type { ForkChoice } from "./fork_choice.ts";
import type { WireBlock } from "./ports.ts";
import type { RootHex } from "./root_hex.ts";
import { toRootHex } from "./root_hex.ts";

/** `head`, `finalized`, `justified`, `genesis`, a slot, or a root (of a block, or of a state where a state is asked for). */
export type ChainId = "head" | "finalized" | "justified" | "genesis" | number | RootHex;

export interface FoundBlock {
  readonly block: ChainBlock;
  readonly canonical: boolean;
  readonly finalized: boolean;
  readonly optimistic: boolean;
}

const FINAL = { canonical: true, finalized: true, optimistic: false } as const;

export interface HistoryDeps {
  readonly config: MessageBusBeaconConfig;
  readonly anchor: ChainBlock;
  readonly anchorState: CachedState;
  readonly archive: BlockArchive;
  readonly canonical: CanonicalChain;
  readonly forkChoice: ForkChoice;
  readonly store: BlockStore;
  readonly logger: Logger;
}

export class ChainHistory {
  private readonly deps: HistoryDeps;
  /** Finalized blocks on their way into the archive. */
  private archiving: Promise<void> = Promise.resolve();

  constructor(deps: HistoryDeps) {
    this.deps = deps;
  }

  /** First slot from which on every block is there. */
  get earliestSlot(): number {
    return Math.max(this.deps.anchor.slot, this.deps.archive.earliestSlot);
  }

  /** Takes over what became final, oldest first. */
  addFinal(blocks: readonly ChainBlock[]): void {
    const { archive, config, logger } = this.deps;
    const final = blocks.flatMap(({ root, signedBlock, slot }) =>
      signedBlock === null ? [] : [{ root, slot, ...serializeBlock(config, signedBlock) }],
    );
    this.archiving = this.archiving
      .then(() => archive.put(final))
      .catch((error: unknown) => {
        logger.error({ slot: blocks.at(-1)?.slot, error: errorMessage(error) }, "Finalized blocks were not archived");
      });
  }

  /** Resolves when all that was taken over is in the archive. */
  archived(): Promise<void> {
    return this.archiving;
  }

  async getBlock(id: ChainId): Promise<FoundBlock | null> {
    if (id === "genesis") return this.getBlock(0);
    const { anchor, canonical, forkChoice } = this.deps;
    const known = this.findUnfinalized(id);
    if (known !== null) {
      return {
        // Of an anchor after a restart, the state tells no signature.
        block: (known.signedBlock === null ? await this.findArchived(known.root) : null) ?? known,
        canonical: canonical.includes(known),
        finalized: known.root === forkChoice.finalized.root,
        optimistic: !forkChoice.isVerified(known.root),
      };
    }
    const archived = await this.findArchived(id);
    if (archived !== null) return { block: archived, ...FINAL };
    return id === anchor.slot || id === anchor.root ? { block: anchor, ...FINAL } : null;
  }

  getState(id: ChainId): CachedState | null {
    const { anchor, anchorState, store } = this.deps;
    if (id === "genesis" || id === 0) return anchor.slot === 0 ? anchorState : null;
    const block = this.findUnfinalized(id) ?? this.findByStateRoot(id);
    return block === null ? null : store.getState(block.root);
  }

  async *blocksByRange(startSlot: number, count: number): AsyncGenerator<WireBlock> {
    const { archive, canonical, config } = this.deps;
    const endSlot = startSlot + count;
    const finalizedSlot = canonical.finalized.slot;
    // Taken now: while the archive is read, finality may move on.
    const recent = canonical.range(Math.max(startSlot, finalizedSlot + 1), endSlot);
    await this.archiving;
    yield* archive.range(startSlot, Math.min(endSlot, finalizedSlot + 1));
    for (const { signedBlock } of recent) if (signedBlock !== null) yield serializeBlock(config, signedBlock);
  }

  async *blocksByRoot(roots: Uint8Array[]): AsyncGenerator<WireBlock> {
    const { archive, config, store } = this.deps;
    for (const root of roots.map(toRootHex)) {
      const signedBlock = store.getBlock(root)?.signedBlock;
      const found = signedBlock ? serializeBlock(config, signedBlock) : await archive.getByRoot(root);
      if (found !== null) yield found;
    }
  }

  private async findArchived(id: number | RootHex): Promise<ChainBlock | null> {
    const { archive, config } = this.deps;
    const archived = typeof id === "number" ? await archive.getBySlot(id) : await archive.getByRoot(id);
    return archived === null ? null : deserializeBlock(config, archived);
  }

  private findUnfinalized(id: ChainId): ChainBlock | null {
    const { canonical, forkChoice, store } = this.deps;
    if (id === "head") return canonical.head;
    if (id === "finalized") return canonical.finalized;
    if (id === "justified") return store.getBlock(forkChoice.justified.root);
    return typeof id === "number" ? canonical.atSlot(id) : store.getBlock(id);
  }

  private findByStateRoot(id: ChainId): ChainBlock | null {
    if (typeof id === "number") return null;
    const { canonical } = this.deps;
    const blocks = canonical.range(canonical.finalized.slot, canonical.head.slot + 1);
    return blocks.find(({ header }) => toRootHex(header.message.stateRoot) === id) ?? null;
  }
}
