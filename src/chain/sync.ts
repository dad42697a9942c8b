/** Catching up: ranges of blocks from peers that are ahead, and single blocks whose children have come by gossip. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { getSignedBlockType, type MessageBusBeaconConfig } from "../spec/config.ts";
import { type ChainBlock, type SignedBlock, toChainBlock } from "./block.ts";
import type { BlockStore } from "./block_store.ts";
import type { ForkChoice } from "./fork_choice.ts";
import type { BlockImporter, ImportOutcome } from "./import.ts";
import type { ChainNetwork, PeerStatus, SyncFault, WireBlock } from "./ports.ts";
import type { RootHex } from "./root_hex.ts";
import { fromRootHex, toRootHex } from "./root_hex.ts";
import type { SlotClock } from "./slot_clock.ts";
import { deserialize } from "./wire.ts";

export interface SyncDeps {
  readonly config: MessageBusBeaconConfig;
  readonly slots: SlotClock;
  readonly store: BlockStore;
  readonly forkChoice: ForkChoice;
  readonly importer: BlockImporter;
  readonly network: ChainNetwork;
  /** The head's, as of the last import or slot: asked for with each gossiped exit, and fork choice costs milliseconds. */
  readonly headSlot: () => number;
  readonly logger: Logger;
}

/** Slots a request; far below MAX_REQUEST_BLOCKS_DENEB (128), so that a slow peer costs little. */
const BATCH_SLOTS = 32;
/** Batches asked for at once, each of another peer where there is one: bounds the blocks held in memory. */
const BATCHES_IN_FLIGHT = 3;
/** A head that far behind the clock is in sync whatever peers say; the chain may have empty slots. */
const SYNCED_DISTANCE_SLOTS = SLOTS_PER_EPOCH;
/** A node that starts with an old head gives its peers so long to tell theirs, before it holds itself for synced. */
const STARTUP_GRACE_SLOTS = 4;
/** Statuses and faults kept; the oldest is forgotten. */
const MAX_PEERS = 256;
/** Single blocks asked for at once; a request beyond is dropped, and made again at the next slot. */
const MAX_ROOT_REQUESTS = 16;
/** Ancestors fetched one by one for a block from gossip; what is deeper, range sync fetches. */
const MAX_ANCESTORS = 16;
/** A peer that failed is not asked for 2, 4, 8… slots, up to this. */
const MAX_FAULT_SLOTS = 256;
/** Peers asked for a new status in a slot in which our head is behind. */
const MAX_STATUS_REQUESTS_PER_SLOT = 4;
/** Times that one block waits for the import queue to drain, 64 imports each; then the next slot begins anew. */
const MAX_QUEUE_WAITS = 4;
/** A head that is older than this asks around; two empty slots in a row are common. */
export const STALE_HEAD_SLOTS = 3;

interface Batch {
  readonly peerId: string;
  readonly startSlot: number;
  readonly count: number;
}

export class Sync {
  private readonly deps: SyncDeps;
  private readonly statuses = new Map<string, PeerStatus>();
  private readonly faults = new Map<string, { count: number; untilSlot: number }>();
  private readonly rootRequests = new Set<RootHex>();
  private running: Promise<void> | null = null;
  private stopped = false;
  private nextPeer = 0;
  private startSlot: number | null = null;

  constructor(deps: SyncDeps) {
    this.deps = deps;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  onStatus(peerId: string, status: PeerStatus): void {
    this.statuses.delete(peerId);
    this.statuses.set(peerId, status);
    for (const oldest of this.statuses.keys()) {
      if (this.statuses.size <= MAX_PEERS) break;
      this.statuses.delete(oldest);
    }
    this.trigger();
  }

  /** What a peer claimed that is gone must not keep us waiting for it. */
  onPeerGone(peerId: string): void {
    this.statuses.delete(peerId);
  }

  /** Whether our head is recent, or no peer that we still believe is ahead of it: then the chain itself stands still. */
  isSynced(): boolean {
    const { currentSlot } = this.deps.slots;
    if (currentSlot - this.deps.headSlot() <= SYNCED_DISTANCE_SLOTS) return true;
    const isStarting = this.startSlot === null || currentSlot - this.startSlot < STARTUP_GRACE_SLOTS;
    return !isStarting && this.peersAhead().length === 0;
  }

  /** The most advanced head that a peer claims credibly, our own where none is ahead. */
  targetSlot(): number {
    let target = this.deps.headSlot();
    for (const peerId of this.peersAhead()) target = Math.max(target, this.statuses.get(peerId)?.headSlot ?? 0);
    return target;
  }

  /** Asks again for what did not come, and for the statuses of some peers when our head is old. Never rejects. */
  async onSlot(slot: number): Promise<void> {
    const { importer, network } = this.deps;
    this.startSlot ??= slot;
    for (const { parentRoot, peerId } of importer.pending.missingParents())
      void this.requestAncestors(parentRoot, peerId);
    if (slot - this.deps.headSlot() >= STALE_HEAD_SLOTS) {
      const peerIds = this.credible(network.peerIds());
      const some = peerIds
        .slice(0, MAX_STATUS_REQUESTS_PER_SLOT)
        .map((_, i) => peerIds[(this.nextPeer + i) % peerIds.length]);
      this.nextPeer += some.length;
      await Promise.all(some.map((peerId) => (peerId === undefined ? undefined : this.refreshStatus(peerId))));
    }
    this.trigger();
  }

  /** A gossiped block's parent is missing: fetches it and, some steps back, its ancestors. Never rejects. */
  async requestAncestors(parentRoot: RootHex, peerId: string): Promise<void> {
    const { forkChoice, importer } = this.deps;
    const chain: SignedBlock[] = [];
    let root = parentRoot;
    while (!forkChoice.has(root) && chain.length < MAX_ANCESTORS && !importer.isBad(root)) {
      const block = await this.requestBlock(root, peerId);
      if (block === null) return;
      chain.push(block);
      root = toRootHex(block.message.parentRoot);
    }
    if (forkChoice.has(root)) await this.importAll(chain.reverse(), peerId);
  }

  private async refreshStatus(peerId: string): Promise<void> {
    try {
      this.onStatus(peerId, await this.deps.network.requestStatus(peerId));
    } catch (error) {
      this.deps.logger.debug({ peerId, error: errorMessage(error) }, "Peer gave no status");
    }
  }

  private async requestBlock(root: RootHex, peerId: string): Promise<SignedBlock | null> {
    if (this.stopped || this.rootRequests.has(root) || this.rootRequests.size >= MAX_ROOT_REQUESTS) return null;
    this.rootRequests.add(root);
    try {
      const [wireBlock] = await this.deps.network.requestBlocksByRoot(peerId, [fromRootHex(root)]);
      if (wireBlock === undefined) return null;
      const decoded = this.decode(wireBlock);
      if (decoded?.block.root === root) return decoded.signedBlock;
      this.fault(peerId, "UNREQUESTED_BLOCK");
    } catch (error) {
      this.fault(peerId, "REQUEST_FAILED", error);
    } finally {
      this.rootRequests.delete(root);
    }
    return null;
  }

  /** Starts a run where a peer is ahead and none is under way. */
  private trigger(): void {
    if (this.running !== null || this.stopped || this.peersAhead().length === 0) return;
    this.running = this.run()
      .catch((error: unknown) => this.deps.logger.error({ error: errorMessage(error) }, "Sync failed"))
      .finally(() => {
        this.running = null;
      });
  }

  /**
   * Batches from our head forward, of all peers that are ahead. Where they do not fit together, one peer is asked alone,
   * from the finalized block on: either that brings the head that it claims, or it loses its credit. So the loop ends. It
   * need not have lied: heads change, and old blocks may be dropped.
   */
  private async run(): Promise<void> {
    let alone: string | null = null;
    let fromSlot = this.deps.headSlot() + 1;
    for (let peers = this.peersAhead(); peers.length > 0 && !this.stopped; peers = this.peersAhead()) {
      if (alone !== null && !peers.includes(alone)) {
        alone = null;
        fromSlot = this.deps.headSlot() + 1;
      }
      const round = await this.fetchAndImport(alone === null ? peers : [alone], fromSlot);
      if (round.queueFull) return;
      fromSlot = round.nextSlot;
      if (round.fits) continue;
      if (alone !== null) this.distrust(alone);
      else {
        alone = round.peerId ?? (peers[0] as string);
        fromSlot = this.deps.forkChoice.finalized.epoch * SLOTS_PER_EPOCH + 1;
      }
    }
  }

  /**
   * One round of batches from `fromSlot` on. They do not fit where one does not stand on blocks that we know (`peerId`
   * brought it), or where all are in and the heads that their peers claim are not. With `queueFull` others' blocks take
   * all of the import queue, and asking again would bring what cannot be taken.
   */
  private async fetchAndImport(
    peers: string[],
    fromSlot: number,
  ): Promise<{ nextSlot: number; fits: boolean; peerId?: string; queueFull?: boolean }> {
    const batches = this.nextBatches(peers, fromSlot);
    this.deps.logger.debug({ fromSlot, targetSlot: this.targetSlot(), peers: peers.length }, "Syncing");
    const responses = await Promise.all(batches.map((batch) => this.requestRange(batch)));
    let nextSlot = fromSlot;
    for (const [i, blocks] of responses.entries()) {
      const { count, peerId, startSlot } = batches[i] as Batch;
      if (blocks === null) return { nextSlot, fits: true };
      const first = blocks[0];
      if (first !== undefined && !this.deps.forkChoice.has(toRootHex(first.message.parentRoot))) {
        return { nextSlot, fits: false, peerId };
      }
      const imported = await this.importAll(blocks, peerId);
      if (imported !== "ALL") return { nextSlot, fits: true, queueFull: imported === "QUEUE_FULL" };
      nextSlot = startSlot + count;
    }
    return { nextSlot, fits: batches.length > 0 };
  }

  private nextBatches(peers: string[], fromSlot: number): Batch[] {
    const batches: Batch[] = [];
    const claimedSlot = (peerId: string) => this.statuses.get(peerId)?.headSlot ?? 0;
    const endSlot = Math.max(...peers.map(claimedSlot)) + 1;
    for (
      let startSlot = fromSlot;
      startSlot < endSlot && batches.length < BATCHES_IN_FLIGHT;
      startSlot += BATCH_SLOTS
    ) {
      const able = peers.filter((peerId) => claimedSlot(peerId) >= startSlot);
      const peerId = able[this.nextPeer++ % able.length] as string;
      batches.push({ peerId, startSlot, count: Math.min(BATCH_SLOTS, endSlot - startSlot) });
    }
    return batches;
  }

  /** Null, with the peer at fault, where the answer is not what was asked for. */
  private async requestRange({ peerId, startSlot, count }: Batch): Promise<SignedBlock[] | null> {
    let wireBlocks: WireBlock[];
    try {
      wireBlocks = await this.deps.network.requestBlocksByRange(peerId, startSlot, count);
    } catch (error) {
      this.fault(peerId, "REQUEST_FAILED", error);
      return null;
    }
    const blocks: SignedBlock[] = [];
    let previous: ChainBlock | null = null;
    for (const wireBlock of wireBlocks) {
      const decoded = this.decode(wireBlock);
      const slot = decoded?.block.slot ?? -1;
      if (decoded === null || slot < startSlot || slot >= startSlot + count) {
        this.fault(peerId, "UNREQUESTED_BLOCK");
        return null;
      }
      if (previous !== null && decoded.block.parentRoot !== previous.root) {
        this.fault(peerId, "UNLINKED_BLOCKS");
        return null;
      }
      previous = decoded.block;
      blocks.push(decoded.signedBlock);
    }
    return blocks;
  }

  private decode({ ssz }: WireBlock): { signedBlock: SignedBlock; block: ChainBlock } | null {
    const { config, slots } = this.deps;
    if (ssz.length < 108) return null;
    const slot = Number(new DataView(ssz.buffer, ssz.byteOffset).getBigUint64(100, true));
    if (!slots.hasStarted(slot)) return null;
    const signedBlock = deserialize(getSignedBlockType(config, slot), ssz);
    if (typeof signedBlock === "string") return null;
    return { signedBlock, block: toChainBlock(config, signedBlock as SignedBlock) };
  }

  /** `STOPPED` at the first that is not imported, with the peer at fault where it is bad; the blocks before it are in. */
  private async importAll(blocks: SignedBlock[], peerId: string): Promise<"ALL" | "STOPPED" | "QUEUE_FULL"> {
    for (const signedBlock of blocks) {
      const { code } = await this.importWhenRoom(signedBlock);
      if (code === "IMPORTED" || code === "ALREADY_KNOWN") continue;
      if (code === "QUEUE_FULL") return code;
      if (code === "INVALID_BLOCK" || code === "UNKNOWN_PARENT") this.fault(peerId, "BAD_BLOCK");
      else if (code !== "STOPPED") this.distrust(peerId);
      return "STOPPED";
    }
    return "ALL";
  }

  private async importWhenRoom(signedBlock: SignedBlock): Promise<ImportOutcome> {
    const { importer } = this.deps;
    for (let waits = 0; !this.stopped; waits++) {
      const outcome = await importer.importBlock(signedBlock);
      if (outcome.code !== "QUEUE_FULL" || waits === MAX_QUEUE_WAITS) return outcome;
      await importer.drained();
    }
    return { code: "STOPPED" };
  }

  private fault(peerId: string, fault: SyncFault, error?: unknown): void {
    const { logger, network } = this.deps;
    this.distrust(peerId);
    logger.debug(
      { peerId, fault, error: error === undefined ? undefined : errorMessage(error) },
      "Peer failed in sync",
    );
    network.reportPeer(peerId, fault);
  }

  /** Not asked for a while, longer each time. What it claims does not count meanwhile. */
  private distrust(peerId: string): void {
    const count = (this.faults.get(peerId)?.count ?? 0) + 1;
    const untilSlot = this.deps.slots.currentSlot + Math.min(2 ** count, MAX_FAULT_SLOTS);
    this.faults.delete(peerId);
    this.faults.set(peerId, { count, untilSlot });
    this.statuses.delete(peerId);
    for (const oldest of this.faults.keys()) {
      if (this.faults.size <= MAX_PEERS) break;
      this.faults.delete(oldest);
    }
  }

  /** Connected peers that claim a head that we do not have, more than a slot ahead of ours and not in the future. */
  private peersAhead(): string[] {
    const { forkChoice, network, slots } = this.deps;
    const headSlot = this.deps.headSlot();
    return this.credible(network.peerIds()).filter((peerId) => {
      const status = this.statuses.get(peerId);
      if (status === undefined || status.headSlot <= headSlot + 1 || !slots.hasStarted(status.headSlot)) return false;
      return !forkChoice.has(toRootHex(status.headRoot));
    });
  }

  private credible(peerIds: string[]): string[] {
    const slot = this.deps.slots.currentSlot;
    return peerIds.filter((peerId) => (this.faults.get(peerId)?.untilSlot ?? -1) <= slot);
  }
}
