/** The chain as the rest of the node sees it: heads, views, blocks, states, events. It only puts the parts together. */
import { EventEmitter } from "node:events";
import type { SecretKey } from "@chainsafe/blst";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { getEffectiveBalanceIncrementsZeroInactive } from "@lodestar/state-transition";
import type { Clock } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "../spec/config.ts";
import { asFulu, type CachedState } from "../state/beacon_state.ts";
import type { ExecutionEngine } from "../state/execution_engine.ts";
import { processSlots } from "../state/transition.ts";
import { createStateView, type StateView } from "../state/view.ts";
import { type BlockArchive, MemoryArchive } from "./archive.ts";
import { AttestationPool } from "./attestation_pool.ts";
import { AttestationHandler } from "./attestations.ts";
import { anchorBlockOf, type ChainBlock, type SignedBlock } from "./block.ts";
import { BlockStore } from "./block_store.ts";
import { CanonicalChain } from "./canonical.ts";
import type { BlockSummary, ChainEvents } from "./events.ts";
import { type Checkpoint, ForkChoice } from "./fork_choice.ts";
import type { AttestationVerdict, BlockVerdict } from "./gossip_codes.ts";
import { ChainHistory, type ChainId, type FoundBlock } from "./history.ts";
import { BlockImporter, checkpointsOf, type ImportOptions, type ImportOutcome } from "./import.ts";
import { PayloadVerifier } from "./payloads.ts";
import type { ChainNetwork, PackTriggeredExits, PeerStatus, WireBlock } from "./ports.ts";
import type { RootHex } from "./root_hex.ts";
import { fromRootHex } from "./root_hex.ts";
import type { SlashingProtection } from "./slashing_protection.ts";
import { SlotClock } from "./slot_clock.ts";
import { STALE_HEAD_SLOTS, Sync } from "./sync.ts";
import { ValidatorDuties } from "./validator_duties.ts";

export interface ChainDeps {
  readonly config: MessageBusBeaconConfig;
  /** Genesis, or a finalized state to go on from. */
  readonly anchorState: CachedState;
  readonly engine: ExecutionEngine;
  readonly network: ChainNetwork;
  readonly packTriggeredExits: PackTriggeredExits;
  readonly protection: SlashingProtection;
  /** Keys of this node's validators by index. */
  readonly validators: ReadonlyMap<number, SecretKey>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly archive?: BlockArchive;
}

export interface ChainViews {
  readonly head: StateView;
  readonly finalized: StateView;
}

export interface Chain {
  readonly config: MessageBusBeaconConfig;
  readonly events: EventEmitter<ChainEvents>;
  readonly slots: SlotClock;
  /** The head that fork choice follows, and the one that duties build on. */
  readonly head: BlockSummary & { readonly optimistic: boolean };
  readonly verifiedHead: RootHex;
  readonly finalized: Checkpoint;
  start(): void;
  /** Finishes the block in hand; drops the rest. */
  stop(): Promise<void>;
  onGossipBlock(wireData: Uint8Array, context: { forkDigest: string; peerId: string }): BlockVerdict;
  onGossipAttestation(
    wireData: Uint8Array,
    subnet: number,
    context: { forkDigest: string },
  ): Promise<AttestationVerdict>;
  onStatus(peerId: string, status: PeerStatus): void;
  onPeerGone(peerId: string): void;
  importBlock(signedBlock: SignedBlock, options?: ImportOptions): Promise<ImportOutcome>;
  /** Values for validation; roots that only unverified payloads brought are left out of the head's. */
  views(): ChainViews;
  getBlock(id: ChainId): Promise<FoundBlock | null>;
  /** Not to be written to, but cloned. Null where it is not kept. */
  getState(id: ChainId): CachedState | null;
  isSynced(): boolean;
  /** Whether the head is no older than the last few slots; synced may be an older one too. */
  isCurrent(): boolean;
  status(): PeerStatus & { forkDigest: Uint8Array; earliestAvailableSlot: number };
  /** Canonical blocks, ascending. */
  blocksByRange(startSlot: number, count: number): AsyncIterable<WireBlock>;
  blocksByRoot(roots: Uint8Array[]): AsyncIterable<WireBlock>;
}

const ZERO_ROOT = new Uint8Array(32);

export function createChain(deps: ChainDeps): Chain {
  return new ComposedChain(deps);
}

class ComposedChain implements Chain {
  readonly config: MessageBusBeaconConfig;
  readonly events = new EventEmitter<ChainEvents>();
  readonly slots: SlotClock;
  private readonly logger: Logger;
  private readonly anchor: ChainBlock;
  private readonly anchorState: CachedState;
  private readonly store: BlockStore;
  private readonly forkChoice: ForkChoice;
  private readonly canonical: CanonicalChain;
  private readonly history: ChainHistory;
  private readonly payloads: PayloadVerifier;
  private readonly importer: BlockImporter;
  private readonly attestations: AttestationHandler;
  private readonly sync: Sync;
  private readonly duties: ValidatorDuties;
  private cachedViews: ChainViews | null = null;

  constructor(deps: ChainDeps) {
    const { config, anchorState, clock, engine, logger, network } = deps;
    this.config = config;
    this.logger = logger;
    this.anchorState = anchorState;
    this.anchor = anchorBlockOf(anchorState);
    this.slots = new SlotClock(clock, anchorState.genesisTime, config.SLOT_DURATION_MS);
    this.store = new BlockStore(this.anchor, anchorState);
    this.forkChoice = createForkChoice(this.anchor, anchorState, this.slots.currentSlot, this.store);
    this.canonical = new CanonicalChain(this.anchor);
    this.history = new ChainHistory({
      ...{ config, anchorState, logger, anchor: this.anchor, canonical: this.canonical },
      ...{ forkChoice: this.forkChoice, store: this.store, archive: deps.archive ?? new MemoryArchive() },
    });
    this.payloads = new PayloadVerifier({ engine, finalized: () => this.canonical.finalized.payload, clock, logger });
    const { forkChoice, payloads, slots, store } = this;
    this.importer = new BlockImporter(
      { config, clock, forkChoice, logger, payloads, slots, store },
      {
        onImported: (block, postState) => this.onImported(block, postState),
        onVerified: (root) => this.onVerified(root),
        onRemoved: (roots) => this.onRemoved(roots),
        onUnknownParent: (parentRoot, peerId) =>
          this.guard("ancestors", () => this.sync.requestAncestors(parentRoot, peerId)),
      },
    );
    const { importer } = this;
    const pool = new AttestationPool();
    const isBadBlock = (root: RootHex) => importer.isBad(root);
    this.attestations = new AttestationHandler({ config, clock, forkChoice, isBadBlock, pool, slots, store });
    const headSlot = () => this.canonical.head.slot;
    this.sync = new Sync({ config, forkChoice, headSlot, importer, logger, network, slots, store });
    this.duties = new ValidatorDuties(
      {
        ...{ config, forkChoice, importer, logger, network, payloads, slots, store },
        attestationHandler: this.attestations,
        attestations: pool,
        isSynced: () => this.sync.isSynced(),
        onPayloadLost: (root) => this.onPayloadLost(root),
        packTriggeredExits: deps.packTriggeredExits,
        protection: deps.protection,
      },
      deps.validators,
    );
    slots.onSlot((slot) => this.guard("slot", async () => this.onSlot(slot)));
    slots.onAttestationDue((slot) => this.duties.attest(slot));
  }

  get head(): BlockSummary & { readonly optimistic: boolean } {
    const block = this.canonical.head;
    return { ...this.summarize(block), optimistic: !this.forkChoice.isVerified(block.root) };
  }

  get verifiedHead(): RootHex {
    return this.forkChoice.getVerifiedHead();
  }

  get finalized(): Checkpoint {
    return this.forkChoice.finalized;
  }

  start(): void {
    // Told at once, not with the first block.
    this.guard("execution client", async () => void (await this.payloads.contradictsFinality()));
    this.slots.start();
  }

  async stop(): Promise<void> {
    this.slots.stop();
    this.attestations.stop();
    await Promise.all([this.importer.stop(), this.sync.stop()]);
    await this.history.archived();
  }

  onGossipBlock(wireData: Uint8Array, context: { forkDigest: string; peerId: string }): BlockVerdict {
    return this.importer.onGossipBlock(wireData, context.forkDigest, context.peerId);
  }

  onGossipAttestation(wireData: Uint8Array, subnet: number, context: { forkDigest: string }) {
    return this.attestations.onGossipAttestation(wireData, subnet, context.forkDigest);
  }

  onStatus(peerId: string, status: PeerStatus): void {
    this.sync.onStatus(peerId, status);
  }

  onPeerGone(peerId: string): void {
    this.sync.onPeerGone(peerId);
  }

  importBlock(signedBlock: SignedBlock, options?: ImportOptions): Promise<ImportOutcome> {
    return this.importer.importBlock(signedBlock, options);
  }

  views(): ChainViews {
    this.cachedViews ??= {
      head: createStateView(this.store.getState(this.canonical.head.root), this.unverifiedBlockNumbers()),
      finalized: createStateView(this.store.getState(this.finalized.root)),
    };
    return this.cachedViews;
  }

  getBlock(id: ChainId): Promise<FoundBlock | null> {
    return this.history.getBlock(id);
  }

  getState(id: ChainId): CachedState | null {
    return this.history.getState(id);
  }

  blocksByRange(startSlot: number, count: number): AsyncGenerator<WireBlock> {
    return this.history.blocksByRange(startSlot, count);
  }

  blocksByRoot(roots: Uint8Array[]): AsyncGenerator<WireBlock> {
    return this.history.blocksByRoot(roots);
  }

  isSynced(): boolean {
    return this.sync.isSynced();
  }

  isCurrent(): boolean {
    return this.slots.currentSlot - this.canonical.head.slot < STALE_HEAD_SLOTS;
  }

  status() {
    const { finalized } = this;
    const { root, slot } = this.canonical.head;
    return {
      forkDigest: Uint8Array.from(Buffer.from(computeForkDigestHex(this.config, this.slots.currentEpoch), "hex")),
      // Genesis is finalized under the zero root.
      finalizedRoot: finalized.epoch === 0 ? ZERO_ROOT : fromRootHex(finalized.root),
      finalizedEpoch: finalized.epoch,
      headRoot: fromRootHex(root),
      headSlot: slot,
      earliestAvailableSlot: this.history.earliestSlot,
    };
  }

  private onSlot(slot: number): void {
    this.forkChoice.onTick(slot);
    this.updateHead();
    this.updateFinalized();
    this.attestations.prune(slot);
    this.guard("duties", () => this.duties.onSlot(slot));
    this.guard("reverify", () => this.importer.reverify(slot));
    this.guard("sync", () => this.sync.onSlot(slot));
  }

  /** Work that nobody waits for: a bug in it is logged, and does not end the process. */
  private guard(work: string, run: () => Promise<void>): void {
    run().catch((error: unknown) => this.logger.error({ work, error: errorMessage(error) }, "Unexpected failure"));
  }

  private onImported(block: ChainBlock, postState: CachedState): void {
    const summary = this.summarize(block);
    const { root, slot } = block;
    this.attestations.onBlockImported(root);
    this.tell("block", { ...summary, optimistic: this.forkChoice.get(root)?.status !== "VALID" });
    for (const exit of summary.triggeredExits) {
      const { exitEpoch } = postState.validators.getReadonly(exit.validatorIndex);
      this.tell("exit_initiated", { ...exit, slot, root, exitEpoch });
    }
    this.updateHead();
    this.updateFinalized();
    this.attestTo(block);
  }

  private onVerified(root: RootHex): void {
    this.cachedViews = null;
    const block = this.store.getBlock(root);
    if (block !== null) this.tell("verified", this.summarize(block));
    this.updateHead();
    if (block !== null) this.attestTo(block);
  }

  /** Our validators need not wait for a third of the slot when its block is there and verified. */
  private attestTo({ root, slot }: ChainBlock): void {
    if (slot === this.slots.currentSlot && this.forkChoice.isVerified(root)) this.duties.attest(slot);
  }

  /** Asked about again like any other; until then duties go on without it, or the network would wait for it for good. */
  private onPayloadLost(root: RootHex): void {
    if (!this.forkChoice.setOptimistic(root)) return;
    this.logger.warn({ root }, "The execution client does not know a verified payload any more: unverified again");
    this.cachedViews = null;
    this.updateHead();
  }

  private onRemoved(roots: RootHex[]): void {
    this.logger.warn({ roots }, "Invalid payload: blocks removed");
    this.updateHead();
  }

  private updateHead(): void {
    const change = this.canonical.setHead(this.forkChoice.getHead(), (root) => this.store.getBlock(root));
    if (change === null) return;
    this.cachedViews = null;
    const { head } = this;
    const depth = change.removed.length;
    if (depth > 0) this.logger.info({ slot: head.slot, root: head.root, depth }, "Chain reorganized");
    this.tell("head", {
      ...head,
      reorg: depth === 0 ? null : { depth, commonAncestor: this.summarize(change.commonAncestor) },
      removed: change.removed.map((block) => this.summarize(block)),
      added: change.added.map((block) => this.summarize(block)),
    });
    const finalizedBlock = this.canonical.finalized;
    const safe = this.store.getBlock(this.forkChoice.justified.root) ?? finalizedBlock;
    void this.payloads.setForkchoice(head.payload.blockHash, safe.payload.blockHash, finalizedBlock.payload.blockHash);
  }

  private updateFinalized(): void {
    const { epoch, root } = this.finalized;
    if (root === this.canonical.finalized.root) return;
    const final = this.canonical.finalize(root);
    if (final.length === 0) return;
    this.store.setFinalized(root);
    this.store.remove(this.forkChoice.prune());
    this.cachedViews = null;
    const { slot } = this.canonical.finalized;
    this.importer.onFinalized(slot);
    this.history.addFinal(final);
    this.tell("finalized", { epoch, root, slot, blocks: final.map((block) => this.summarize(block)) });
  }

  /** A listener's fault is logged: it must not stop the chain. */
  private tell<K extends keyof ChainEvents>(name: K, event: ChainEvents[K][0]): void {
    try {
      (this.events as EventEmitter).emit(name, event);
    } catch (error) {
      this.logger.error({ event: name, error: errorMessage(error) }, "An event's listener failed");
    }
  }

  private summarize({ payload, root, signedBlock, slot }: ChainBlock): BlockSummary {
    const body = signedBlock?.message.body;
    const exits = body !== undefined && "triggeredExits" in body ? body.triggeredExits : [];
    const { pubkeyCache } = this.anchorState.epochCtx;
    const triggeredExits = exits.map(({ data: { pubkey } }) => ({
      pubkey,
      validatorIndex: pubkeyCache.getIndex(pubkey) as number,
    }));
    return { slot, root, payload, triggeredExits };
  }

  /** Payloads on the head's branch that are neither verified nor final, by execution block number. */
  private unverifiedBlockNumbers(): Set<number> {
    const numbers = new Set<number>();
    for (const { root, status } of this.forkChoice.chain(this.canonical.head.root)) {
      const block = this.store.getBlock(root);
      if (status !== "VALID" && block !== null && root !== this.finalized.root) numbers.add(block.payload.blockNumber);
    }
    return numbers;
  }
}

/** The anchor is trusted, so its own checkpoints count as itself at its epoch. */
function createForkChoice(anchor: ChainBlock, state: CachedState, currentSlot: number, store: BlockStore): ForkChoice {
  const anchorEpoch = Math.ceil(state.slot / SLOTS_PER_EPOCH);
  const justifiedBalances = ({ epoch, root }: Checkpoint) => {
    const blockState = store.getState(root);
    const startSlot = epoch * SLOTS_PER_EPOCH;
    const checkpointState = blockState.slot < startSlot ? processSlots(blockState, startSlot) : blockState;
    return getEffectiveBalanceIncrementsZeroInactive(asFulu(checkpointState));
  };
  const slot = Math.max(currentSlot, state.slot);
  return new ForkChoice({ ...checkpointsOf(anchor, state), status: "VALID" }, anchorEpoch, slot, justifiedBalances);
}
