/** Blocks into the chain: the full import, one block at a time, and what the execution client says of them later. */
import { computeUnrealizedCheckpoints } from "@lodestar/state-transition/epoch";
import type { Clock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { MessageBusBeaconConfig } from "../spec/config.ts";
import { asFulu, type CachedState } from "../state/beacon_state.ts";
import type { PayloadVerdict } from "../state/execution_engine.ts";
import { stateTransition } from "../state/transition.ts";
import { BadBlocks } from "./bad_blocks.ts";
import { type ChainBlock, type SignedBlock, toChainBlock } from "./block.ts";
import { BlockGossip } from "./block_gossip.ts";
import type { BlockStore } from "./block_store.ts";
import type { Checkpoint, ForkChoice } from "./fork_choice.ts";
import type { BlockVerdict } from "./gossip_codes.ts";
import type { PayloadVerifier } from "./payloads.ts";
import { PendingBlocks } from "./pending_blocks.ts";
import { PreStates } from "./pre_states.ts";
import type { RootHex } from "./root_hex.ts";
import { toRootHex } from "./root_hex.ts";
import type { SlotClock } from "./slot_clock.ts";

export type ImportOutcome =
  | { readonly code: "IMPORTED"; readonly optimistic: boolean }
  | { readonly code: "ALREADY_KNOWN" | "UNKNOWN_PARENT" | "QUEUE_FULL" | "TOO_EARLY" | "STOPPED" }
  | { readonly code: "INVALID_BLOCK" | "INVALID_PAYLOAD" | "NOT_IMPORTED"; readonly reason: string };

export interface ImportOptions {
  /** Made by us from this very state: nothing of it needs to be checked but its payload. */
  readonly postState?: CachedState;
  /** The proposer's signature was checked by gossip validation. */
  readonly proposerVerified?: boolean;
}

/** What the rest of the chain does when a block is in, or turns out bad. */
export interface ImportEvents {
  onImported(block: ChainBlock, postState: CachedState): void;
  /** A payload that stood as optimistic is verified. */
  onVerified(root: RootHex): void;
  /** Blocks are gone, because a payload was found invalid after its import. */
  onRemoved(roots: RootHex[]): void;
  onUnknownParent(parentRoot: RootHex, peerId: string): void;
}

export interface ImportDeps {
  readonly config: MessageBusBeaconConfig;
  readonly clock: Clock;
  readonly slots: SlotClock;
  readonly store: BlockStore;
  readonly forkChoice: ForkChoice;
  readonly payloads: PayloadVerifier;
  readonly logger: Logger;
}

/** Blocks waiting to be imported; a block beyond is dropped, and comes again by sync. */
const MAX_IMPORT_QUEUE = 64;

/** Payloads asked about again in one round. */
const MAX_REVERIFIED_PER_ROUND = 32;
/** A round ends after so many answers of SYNCING: the execution client is away, or far behind. */
const MAX_UNANSWERED_PER_ROUND = 4;
/** Slots between rounds double from 1 up to this while no answer comes. */
const MAX_REVERIFY_INTERVAL_SLOTS = 4;

export class BlockImporter {
  private readonly deps: ImportDeps;
  private readonly events: ImportEvents;
  readonly pending = new PendingBlocks();
  private readonly badBlocks = new BadBlocks();
  private readonly preStates = new PreStates();
  private readonly gossip: BlockGossip;
  private tail: Promise<unknown> = Promise.resolve();
  private queued = 0;
  private stopped = false;
  private reverifyAtSlot = 0;
  private reverifyIntervalSlots = 1;
  private reverifying = false;

  constructor(deps: ImportDeps, events: ImportEvents) {
    this.deps = deps;
    this.events = events;
    this.gossip = new BlockGossip({ ...deps, badBlocks: this.badBlocks, preStates: this.preStates });
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.drained();
  }

  /** Resolves when the blocks that are queued now have been imported. */
  drained(): Promise<void> {
    return this.tail.then(() => undefined);
  }

  /**
   * Judges a `beacon_block` message by what forwarding needs, and starts its import without waiting for it: the payload
   * and its message bus root are a matter of the import.
   */
  onGossipBlock(wireData: Uint8Array, forkDigest: string, peerId: string): BlockVerdict {
    const { signedBlock, block, verdict } = this.gossip.judge(wireData, forkDigest, this.queued < MAX_IMPORT_QUEUE);
    if (signedBlock === null || block === null) return verdict;
    if (verdict.result === "accept") this.importAtSlot(signedBlock);
    else if (verdict.code === "UNKNOWN_PARENT") {
      this.pending.add(signedBlock, block, peerId);
      this.events.onUnknownParent(block.parentRoot, peerId);
    }
    return verdict;
  }

  /** Imports now, or when the block's slot begins by our clock. */
  private importAtSlot(signedBlock: SignedBlock): void {
    const { clock, logger, slots } = this.deps;
    const run = () => {
      void this.importBlock(signedBlock, { proposerVerified: true }).then((outcome) => {
        if ("reason" in outcome) logger.warn({ slot: signedBlock.message.slot, ...outcome }, "Block not imported");
      });
    };
    const waitMs = slots.slotStartMs(signedBlock.message.slot) - clock.nowMs();
    if (waitMs <= 0) run();
    else clock.after(waitMs, run);
  }

  /** Never rejects. Blocks that waited for this one as their parent are imported after it. */
  importBlock(signedBlock: SignedBlock, options: ImportOptions = {}): Promise<ImportOutcome> {
    if (this.queued >= MAX_IMPORT_QUEUE) return Promise.resolve({ code: "QUEUE_FULL" });
    this.queued++;
    const run = this.tail.then(() => this.importNext(signedBlock, options));
    this.tail = run.finally(() => this.queued--);
    return run;
  }

  private async importNext(signedBlock: SignedBlock, options: ImportOptions): Promise<ImportOutcome> {
    if (this.stopped) return { code: "STOPPED" };
    try {
      const block = toChainBlock(this.deps.config, signedBlock);
      const outcome = await this.run(block, signedBlock, options);
      if (outcome.code === "IMPORTED") {
        for (const child of this.pending.takeChildren(block.root)) this.importAtSlot(child);
      }
      return outcome;
    } catch (error) {
      this.deps.logger.error({ error: errorMessage(error) }, "Block import failed");
      return { code: "NOT_IMPORTED", reason: errorMessage(error) };
    }
  }

  private async run(block: ChainBlock, signedBlock: SignedBlock, options: ImportOptions): Promise<ImportOutcome> {
    const { forkChoice, payloads, slots, store } = this.deps;
    if (store.has(block.root)) return { code: "ALREADY_KNOWN" };
    const bad = this.badBlocks.get(block.root) ?? this.badBlocks.get(block.parentRoot);
    if (bad !== undefined) {
      const code = bad.code === "INVALID_PAYLOAD" ? bad.code : "INVALID_BLOCK";
      return { code, reason: "the block or its parent was found invalid before" };
    }
    if (!forkChoice.has(block.parentRoot)) return { code: "UNKNOWN_PARENT" };
    if (block.slot > slots.currentSlot) return { code: "TOO_EARLY" };
    // Taken before the work: a block is timely by when it came, not by how long we took.
    const timely = slots.currentSlot === block.slot && slots.msIntoSlot(block.slot) < slots.attestationDueMs;
    const parentState = store.getState(block.parentRoot);
    const verdict = payloads.verify(signedBlock);
    let postState: CachedState;
    try {
      postState = options.postState ?? this.transition(block, parentState, signedBlock, options);
    } catch (error) {
      // The root does not cover the proposer's signature: a wrong one must not brand the true block.
      const isBadSignature = error instanceof CodedError && error.code === "INVALID_SIGNATURE";
      if (!isBadSignature) this.badBlocks.mark(block.root, "ignore", "INVALID_BLOCK");
      return { code: "INVALID_BLOCK", reason: errorMessage(error) };
    }
    const { status, reason } = await verdict.inTime;
    if (status === "INVALID") {
      this.badBlocks.mark(block.root, "ignore", "INVALID_PAYLOAD");
      return { code: "INVALID_PAYLOAD", reason };
    }
    if (this.stopped) return { code: "STOPPED" };
    try {
      forkChoice.onTick(slots.currentSlot);
      forkChoice.onBlock(
        { ...checkpointsOf(block, postState), status: status === "VALID" ? "VALID" : "OPTIMISTIC" },
        timely,
      );
    } catch (error) {
      if (error instanceof CodedError) return { code: "NOT_IMPORTED", reason: error.message };
      throw error;
    }
    store.put(block, postState);
    this.countVotes(block, signedBlock, postState);
    this.events.onImported(block, postState);
    // The execution client answers: what waits for it need not wait longer.
    if (status === "VALID") this.reverifyAtSlot = 0;
    else this.awaitLateStatus(block.root, verdict.final);
    return { code: "IMPORTED", optimistic: status !== "VALID" };
  }

  private transition(
    block: ChainBlock,
    parentState: CachedState,
    signedBlock: SignedBlock,
    options: ImportOptions,
  ): CachedState {
    const preState = this.preStates.take(block.parentRoot, block.slot) ?? parentState;
    return stateTransition(preState, signedBlock, {
      verifyProposer: options.proposerVerified !== true,
      verifySignatures: true,
      verifyStateRoot: true,
      payloadStatus: "SYNCING",
    });
  }

  /** The block's attestations count as votes, and its slashings take votes away. */
  private countVotes(block: ChainBlock, signedBlock: SignedBlock, postState: CachedState): void {
    const { forkChoice } = this.deps;
    const fork = postState.config.getForkSeq(block.slot);
    for (const attestation of signedBlock.message.body.attestations) {
      const { beaconBlockRoot, slot, target } = attestation.data;
      const indices = postState.epochCtx.getAttestingIndices(fork, attestation);
      forkChoice.onAttestation(indices, toRootHex(beaconBlockRoot), target.epoch, slot);
    }
    for (const { attestation1, attestation2 } of signedBlock.message.body.attesterSlashings) {
      const first = new Set(attestation1.attestingIndices);
      forkChoice.onEquivocation(attestation2.attestingIndices.filter((index) => first.has(index)));
    }
  }

  /** Asks again about optimistic payloads, those that the head stands on first, oldest first. */
  async reverify(slot: number): Promise<void> {
    if (slot < this.reverifyAtSlot || this.reverifying) return;
    const roots = this.rootsToReverify();
    if (roots.length === 0) return;
    this.reverifying = true;
    let answered = 0;
    let unanswered = 0;
    try {
      for (const root of roots) {
        const signedBlock = this.deps.store.getBlock(root)?.signedBlock;
        if (!signedBlock || this.stopped) continue;
        const { status } = await this.deps.payloads.verify(signedBlock).inTime;
        this.takeLateStatus(root, status);
        if (status !== "SYNCING") answered++;
        else if (++unanswered >= MAX_UNANSWERED_PER_ROUND) break;
      }
    } finally {
      this.reverifying = false;
    }
    const intervalSlots = Math.min(this.reverifyIntervalSlots * 2, MAX_REVERIFY_INTERVAL_SLOTS);
    this.reverifyIntervalSlots = answered > 0 ? 1 : intervalSlots;
    this.reverifyAtSlot = slot + this.reverifyIntervalSlots;
  }

  /** A block whose payload nobody knows stays SYNCING for good: it must not hold up those that matter. */
  private rootsToReverify(): RootHex[] {
    const { forkChoice } = this.deps;
    const optimistic = forkChoice.optimisticRoots();
    if (optimistic.length === 0) return [];
    const onHead = new Set<RootHex>();
    for (const { root } of forkChoice.chain(forkChoice.getHead())) onHead.add(root);
    const ordered = [
      ...optimistic.filter((root) => onHead.has(root)),
      ...optimistic.filter((root) => !onHead.has(root)),
    ];
    return ordered.slice(0, MAX_REVERIFIED_PER_ROUND);
  }

  private awaitLateStatus(root: RootHex, final: Promise<PayloadVerdict>): void {
    final
      .then(({ status }) => this.takeLateStatus(root, status))
      .catch((error: unknown) =>
        this.deps.logger.error({ root, error: errorMessage(error) }, "Late payload status failed"),
      );
  }

  private takeLateStatus(root: RootHex, status: "VALID" | "INVALID" | "SYNCING"): void {
    const { forkChoice, store } = this.deps;
    if (this.stopped || status === "SYNCING" || forkChoice.get(root)?.status !== "OPTIMISTIC") return;
    if (status === "VALID") {
      forkChoice.setValid(root);
      this.events.onVerified(root);
      return;
    }
    const removed = forkChoice.setInvalid(root);
    store.remove(removed);
    for (const gone of removed) this.badBlocks.mark(gone, "ignore", "INVALID_PAYLOAD");
    this.events.onRemoved(removed);
  }

  /** Forgets what finality has decided. */
  onFinalized(slot: number): void {
    this.gossip.onFinalized(slot);
    this.pending.prune(slot);
    this.preStates.clear();
  }

  isBad(root: RootHex): boolean {
    return this.badBlocks.has(root);
  }
}

/**
 * The pulled-up checkpoints come from the progressive balances that the state's cache keeps anyway: what processing the
 * epoch on a clone would give, for microseconds.
 * @spec phase0/fork-choice.md#compute_pulled_up_tip
 */
export function checkpointsOf(block: ChainBlock, postState: CachedState) {
  const unrealized = computeUnrealizedCheckpoints(asFulu(postState));
  return {
    root: block.root,
    parentRoot: block.parentRoot,
    slot: block.slot,
    justified: toCheckpoint(postState.currentJustifiedCheckpoint),
    finalized: toCheckpoint(postState.finalizedCheckpoint),
    unrealizedJustified: toCheckpoint(unrealized.justifiedCheckpoint),
    unrealizedFinalized: toCheckpoint(unrealized.finalizedCheckpoint),
  };
}

function toCheckpoint({ epoch, root }: { epoch: number; root: Uint8Array }): Checkpoint {
  return { epoch, root: toRootHex(root) };
}
