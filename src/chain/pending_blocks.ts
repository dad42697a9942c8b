/** Blocks whose parent is not known yet, until it comes. */
import type { ChainBlock, SignedBlock } from "./block.ts";
import type { RootHex } from "./root_hex.ts";

/** Protects memory: a block can be 10 MiB. The newcomer is dropped; sync fetches it again. */
const MAX_PENDING_BLOCKS = 64;
/** Keeps one peer from taking all places. */
const MAX_PENDING_PER_PEER = 8;

interface PendingBlock {
  readonly signedBlock: SignedBlock;
  readonly block: ChainBlock;
  readonly peerId: string;
}

export class PendingBlocks {
  private readonly byRoot = new Map<RootHex, PendingBlock>();

  get size(): number {
    return this.byRoot.size;
  }

  has(root: RootHex): boolean {
    return this.byRoot.has(root);
  }

  add(signedBlock: SignedBlock, block: ChainBlock, peerId: string): boolean {
    if (this.byRoot.has(block.root) || this.byRoot.size >= MAX_PENDING_BLOCKS) return false;
    let ofPeer = 0;
    for (const pending of this.byRoot.values()) if (pending.peerId === peerId) ofPeer++;
    if (ofPeer >= MAX_PENDING_PER_PEER) return false;
    this.byRoot.set(block.root, { signedBlock, block, peerId });
    return true;
  }

  takeChildren(parentRoot: RootHex): SignedBlock[] {
    const children: SignedBlock[] = [];
    for (const [root, { block, signedBlock }] of this.byRoot) {
      if (block.parentRoot !== parentRoot) continue;
      this.byRoot.delete(root);
      children.push(signedBlock);
    }
    return children;
  }

  /** Parents that are themselves not waiting: the roots to ask for. */
  missingParents(): { parentRoot: RootHex; peerId: string }[] {
    const missing = new Map<RootHex, string>();
    for (const { block, peerId } of this.byRoot.values()) {
      if (!this.byRoot.has(block.parentRoot)) missing.set(block.parentRoot, peerId);
    }
    return [...missing].map(([parentRoot, peerId]) => ({ parentRoot, peerId }));
  }

  /** Forgets blocks at or before the slot. */
  prune(slot: number): void {
    for (const [root, { block }] of this.byRoot) if (block.slot <= slot) this.byRoot.delete(root);
  }
}
