/**
 * LMD-GHOST from the justified checkpoint, on plain values: blocks come in with what their states say, votes with
 * validator indices, and two heads come out. Weights are summed anew when something changed, O(validators + blocks):
 * 2.3 ms for 64 blocks and 100,000 votes, and nothing to keep consistent.
 * @spec phase0/fork-choice.md
 */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { CodedError } from "../base/errors.ts";
import { LatestMessages, type Vote } from "./latest_messages.ts";
import type { RootHex } from "./root_hex.ts";

export interface Checkpoint {
  readonly epoch: number;
  readonly root: RootHex;
}

/** `INVALID` blocks are removed, with all that stands on them. */
export type BlockStatus = "VALID" | "OPTIMISTIC";

export interface ForkChoiceBlock {
  readonly root: RootHex;
  readonly parentRoot: RootHex;
  readonly slot: number;
  /** Of the block's post state. */
  readonly justified: Checkpoint;
  readonly finalized: Checkpoint;
  /** Of the post state pulled up to the next epoch. */
  readonly unrealizedJustified: Checkpoint;
  readonly unrealizedFinalized: Checkpoint;
  readonly status: BlockStatus;
}

interface Node {
  readonly block: ForkChoiceBlock;
  /** Null for the anchor alone. */
  parent: Node | null;
  status: BlockStatus;
  /** Has a child, viable or not: only true leaves are judged on their own. */
  hasChild: boolean;
  /** Increments of effective balance that vote for the block or a descendant. */
  weight: number;
  bestChild: Node | null;
  bestVerifiedChild: Node | null;
}

/** Effective balances in increments by validator index, zero for who is not active or slashed. */
export type JustifiedBalances = (justified: Checkpoint) => ArrayLike<number>;

/** @spec phase0/fork-choice.md#configuration */
const PROPOSER_SCORE_BOOST_PERCENT = 40;

/**
 * Blocks that can stand unfinalized: 2^14 slots are 55 h of mainnet or 9 h of 2-second slots without finality. Beyond,
 * `onBlock` refuses: what is known keeps working, and the node must be restarted from a newer state.
 */
const MAX_UNFINALIZED_BLOCKS = 16_384;

/** Roots of blocks found INVALID, so that they and their children are refused at once; the oldest is forgotten. */
const MAX_INVALID_ROOTS = 1024;

export class ForkChoice {
  private readonly justifiedBalances: JustifiedBalances;
  /** In order of insertion: parents before children. */
  private nodes = new Map<RootHex, Node>();
  private readonly votes = new LatestMessages();
  private readonly invalidRoots = new Set<RootHex>();
  private boostRoot: RootHex | null = null;
  private slot: number;
  private anchor: Node;
  private justifiedCheckpoint: Checkpoint;
  private finalizedCheckpoint: Checkpoint;
  private unrealizedJustified: Checkpoint;
  private unrealizedFinalized: Checkpoint;
  private balances: ArrayLike<number>;
  private totalBalance = 0;
  private stale = true;

  /** `anchor` is trusted: its checkpoints are taken to be itself at its own epoch. */
  constructor(anchor: ForkChoiceBlock, anchorEpoch: number, slot: number, justifiedBalances: JustifiedBalances) {
    const node = createNode(anchor, null);
    this.nodes.set(anchor.root, node);
    this.anchor = node;
    this.slot = slot;
    const checkpoint = { epoch: anchorEpoch, root: anchor.root };
    this.justifiedCheckpoint = checkpoint;
    this.finalizedCheckpoint = checkpoint;
    this.unrealizedJustified = checkpoint;
    this.unrealizedFinalized = checkpoint;
    this.justifiedBalances = justifiedBalances;
    this.balances = justifiedBalances(checkpoint);
    this.totalBalance = sum(this.balances);
  }

  get justified(): Checkpoint {
    return this.justifiedCheckpoint;
  }

  get finalized(): Checkpoint {
    return this.finalizedCheckpoint;
  }

  get size(): number {
    return this.nodes.size;
  }

  has(root: RootHex): boolean {
    return this.nodes.has(root);
  }

  get(root: RootHex): (ForkChoiceBlock & { status: BlockStatus }) | null {
    const node = this.nodes.get(root);
    return node === undefined ? null : { ...node.block, status: node.status };
  }

  /** @spec phase0/fork-choice.md#on_tick */
  onTick(slot: number): void {
    if (slot <= this.slot) return;
    const newEpoch = epochOf(slot) > epochOf(this.slot);
    this.slot = slot;
    this.boostRoot = null;
    if (newEpoch) this.updateCheckpoints(this.unrealizedJustified, this.unrealizedFinalized);
    for (const [index, vote] of this.votes.release(slot)) this.applyVote(index, vote);
    this.stale = true;
  }

  /**
   * The caller has run the state transition. `timely`: seen in its own slot before attestations were due.
   * Throws `UNKNOWN_PARENT`, `NOT_DESCENDANT_OF_FINALIZED`, `INVALID_ANCESTOR` or `FORK_CHOICE_FULL`.
   * @spec phase0/fork-choice.md#on_block
   */
  onBlock(block: ForkChoiceBlock, timely: boolean): void {
    if (this.nodes.has(block.root)) return;
    const parent = this.nodes.get(block.parentRoot);
    if (this.invalidRoots.has(block.root) || this.invalidRoots.has(block.parentRoot)) {
      throw new CodedError("INVALID_ANCESTOR", "The block stands on an invalid payload", { root: block.root });
    }
    if (parent === undefined) {
      throw new CodedError("UNKNOWN_PARENT", "The block's parent is not known", { parent: block.parentRoot });
    }
    if (this.nodes.size >= MAX_UNFINALIZED_BLOCKS) {
      throw new CodedError("FORK_CHOICE_FULL", "Too many blocks without finality", { blocks: this.nodes.size });
    }
    if (
      this.getAncestor(block.parentRoot, startSlotOf(this.finalizedCheckpoint.epoch)) !== this.finalizedCheckpoint.root
    ) {
      throw new CodedError("NOT_DESCENDANT_OF_FINALIZED", "The block is not on the finalized chain", {
        root: block.root,
      });
    }
    this.nodes.set(block.root, createNode(block, parent));
    if (timely && this.boostRoot === null && block.slot === this.slot) this.boostRoot = block.root;
    this.updateCheckpoints(block.justified, block.finalized);
    if (block.unrealizedJustified.epoch > this.unrealizedJustified.epoch) {
      this.unrealizedJustified = block.unrealizedJustified;
    }
    if (block.unrealizedFinalized.epoch > this.unrealizedFinalized.epoch) {
      this.unrealizedFinalized = block.unrealizedFinalized;
    }
    if (epochOf(block.slot) < epochOf(this.slot)) {
      this.updateCheckpoints(block.unrealizedJustified, block.unrealizedFinalized);
    }
    this.stale = true;
  }

  /**
   * The caller has checked the signature and that target and head block belong together. `slot` is the attestation's:
   * it counts from the next slot on.
   * @spec phase0/fork-choice.md#on_attestation
   */
  onAttestation(indices: ArrayLike<number>, blockRoot: RootHex, targetEpoch: number, slot: number): void {
    const node = this.nodes.get(blockRoot);
    if (node === undefined || node.block.slot > slot) return;
    const vote = { root: blockRoot, epoch: targetEpoch };
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number;
      if (slot < this.slot) this.applyVote(index, vote);
      else this.votes.queue(index, vote, slot);
    }
  }

  /** @spec phase0/fork-choice.md#on_attester_slashing */
  onEquivocation(indices: Iterable<number>): void {
    this.votes.discard(indices);
    this.stale = true;
  }

  setValid(root: RootHex): void {
    const node = this.nodes.get(root);
    if (node === undefined || node.status === "VALID") return;
    node.status = "VALID";
    this.stale = true;
  }

  /** Takes a verification back; false where there is none to take. The anchor is final and stays. */
  setOptimistic(root: RootHex): boolean {
    const node = this.nodes.get(root);
    if (node === undefined || node === this.anchor || node.status !== "VALID") return false;
    node.status = "OPTIMISTIC";
    this.stale = true;
    return true;
  }

  /** Removes the block and its descendants; returns their roots. The anchor is final and stays. */
  setInvalid(root: RootHex): RootHex[] {
    const node = this.nodes.get(root);
    if (node === undefined || node === this.anchor) return [];
    const removed = new Set<Node>([node]);
    for (const other of this.nodes.values()) {
      if (other.parent !== null && removed.has(other.parent)) removed.add(other);
    }
    const roots = [...removed].map((other) => other.block.root);
    for (const gone of roots) {
      this.nodes.delete(gone);
      this.invalidRoots.add(gone);
    }
    for (const oldest of this.invalidRoots) {
      if (this.invalidRoots.size <= MAX_INVALID_ROOTS) break;
      this.invalidRoots.delete(oldest);
    }
    this.dropCheckpointsOfRemoved();
    this.stale = true;
    return roots;
  }

  /** The head, which may stand on payloads not verified yet. @spec phase0/fork-choice.md#get_head */
  getHead(): RootHex {
    return this.walk("bestChild");
  }

  /** The head reached through verified payloads only: what duties build on. */
  getVerifiedHead(): RootHex {
    return this.walk("bestVerifiedChild");
  }

  /** Whether the block and all that it stands on, up to the finalized block, are verified. */
  isVerified(root: RootHex): boolean {
    let node = this.nodes.get(root) ?? null;
    if (node === null) return false;
    for (; node !== null && node !== this.anchor; node = node.parent) if (node.status !== "VALID") return false;
    return true;
  }

  /** The block at or before `slot` on the chain of `root`; null when that is older than the finalized block. */
  getAncestor(root: RootHex, slot: number): RootHex | null {
    let node = this.nodes.get(root) ?? null;
    while (node !== null && node.block.slot > slot) node = node.parent;
    return node?.block.root ?? null;
  }

  /** @spec phase0/fork-choice.md#get_checkpoint_block */
  getCheckpointBlock(root: RootHex, epoch: number): RootHex | null {
    return this.getAncestor(root, startSlotOf(epoch));
  }

  /** From `root` to the oldest known ancestor, newest first. */
  *chain(root: RootHex): Generator<ForkChoiceBlock & { status: BlockStatus }> {
    for (let node = this.nodes.get(root) ?? null; node !== null; node = node.parent) {
      yield { ...node.block, status: node.status };
    }
  }

  /** Blocks whose payload is not verified, oldest first. */
  optimisticRoots(): RootHex[] {
    const roots: RootHex[] = [];
    for (const node of this.nodes.values()) {
      if (node.status === "OPTIMISTIC" && node !== this.anchor) roots.push(node.block.root);
    }
    return roots;
  }

  /** Forgets what does not descend from the finalized block; returns the roots of what was forgotten. */
  prune(): RootHex[] {
    const root = this.nodes.get(this.finalizedCheckpoint.root);
    if (root === undefined || root === this.anchor) return [];
    const kept = new Set<Node>([root]);
    const forgotten: RootHex[] = [];
    for (const node of this.nodes.values()) {
      if (node.parent !== null && kept.has(node.parent)) kept.add(node);
      if (!kept.has(node)) forgotten.push(node.block.root);
    }
    for (const gone of forgotten) this.nodes.delete(gone);
    root.parent = null;
    this.anchor = root;
    this.stale = true;
    return forgotten;
  }

  /** @spec phase0/fork-choice.md#update_checkpoints */
  private updateCheckpoints(justified: Checkpoint, finalized: Checkpoint): void {
    if (justified.epoch > this.justifiedCheckpoint.epoch && this.nodes.has(justified.root))
      this.setJustified(justified);
    if (finalized.epoch > this.finalizedCheckpoint.epoch && this.nodes.has(finalized.root)) {
      this.finalizedCheckpoint = finalized;
    }
  }

  private setJustified(checkpoint: Checkpoint): void {
    this.justifiedCheckpoint = checkpoint;
    this.balances = this.justifiedBalances(checkpoint);
    this.totalBalance = sum(this.balances);
  }

  /** A justified block with an invalid payload has two thirds of the stake against it: we go on from the finalized one. */
  private dropCheckpointsOfRemoved(): void {
    if (!this.nodes.has(this.justifiedCheckpoint.root)) this.setJustified(this.finalizedCheckpoint);
    if (!this.nodes.has(this.unrealizedJustified.root)) this.unrealizedJustified = this.justifiedCheckpoint;
    if (!this.nodes.has(this.unrealizedFinalized.root)) this.unrealizedFinalized = this.finalizedCheckpoint;
    if (this.boostRoot !== null && !this.nodes.has(this.boostRoot)) this.boostRoot = null;
  }

  private applyVote(index: number, vote: Vote): void {
    if (this.nodes.has(vote.root) && this.votes.update(index, vote)) this.stale = true;
  }

  private walk(next: "bestChild" | "bestVerifiedChild"): RootHex {
    if (this.stale) this.computeWeights();
    let node = this.nodes.get(this.justifiedCheckpoint.root) ?? this.anchor;
    if (next === "bestVerifiedChild") node = this.deepestVerified(node);
    for (let child = node[next]; child !== null; child = node[next]) node = child;
    return node.block.root;
  }

  /** The last verified block on the way from the anchor to `node`. */
  private deepestVerified(node: Node): Node {
    let deepest = node;
    for (let at: Node | null = node; at !== null && at !== this.anchor; at = at.parent) {
      if (at.status !== "VALID" && at.parent !== null) deepest = at.parent;
    }
    return deepest;
  }

  private computeWeights(): void {
    for (const node of this.nodes.values()) {
      node.weight = 0;
      node.bestChild = null;
      node.bestVerifiedChild = null;
      node.hasChild = false;
    }
    for (const [index, vote] of this.votes.entries()) {
      const node = this.nodes.get(vote.root);
      if (node !== undefined) node.weight += this.balances[index] ?? 0;
    }
    const boosted = this.boostRoot === null ? undefined : this.nodes.get(this.boostRoot);
    if (boosted !== undefined) {
      boosted.weight += (this.totalBalance * PROPOSER_SCORE_BOOST_PERCENT) / (SLOTS_PER_EPOCH * 100);
    }
    // A child comes after its parent, so backwards every node is complete when it is passed on.
    for (const node of [...this.nodes.values()].reverse()) {
      if (node.parent === null) continue;
      node.parent.weight += node.weight;
      node.parent.hasChild = true;
      const viable = node.bestChild !== null || (!node.hasChild && this.isViableLeaf(node));
      if (!viable) continue;
      if (isBetter(node, node.parent.bestChild)) node.parent.bestChild = node;
      if (node.status === "VALID" && isBetter(node, node.parent.bestVerifiedChild))
        node.parent.bestVerifiedChild = node;
    }
    this.stale = false;
  }

  /** @spec phase0/fork-choice.md#filter_block_tree */
  private isViableLeaf(node: Node): boolean {
    const currentEpoch = epochOf(this.slot);
    const source = currentEpoch > epochOf(node.block.slot) ? node.block.unrealizedJustified : node.block.justified;
    const correctJustified =
      this.justifiedCheckpoint.epoch === 0 ||
      source.epoch === this.justifiedCheckpoint.epoch ||
      source.epoch + 2 >= currentEpoch;
    const correctFinalized =
      this.finalizedCheckpoint.epoch === 0 ||
      this.getCheckpointBlock(node.block.root, this.finalizedCheckpoint.epoch) === this.finalizedCheckpoint.root;
    return correctJustified && correctFinalized;
  }
}

function createNode(block: ForkChoiceBlock, parent: Node | null): Node {
  return { block, parent, status: block.status, hasChild: false, weight: 0, bestChild: null, bestVerifiedChild: null };
}

/** Heavier wins; the higher root on a tie. */
function isBetter(node: Node, than: Node | null): boolean {
  if (than === null || node.weight !== than.weight) return than === null || node.weight > than.weight;
  return node.block.root > than.block.root;
}

function epochOf(slot: number): number {
  return Math.max(0, Math.floor(slot / SLOTS_PER_EPOCH));
}

function startSlotOf(epoch: number): number {
  return epoch * SLOTS_PER_EPOCH;
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}
