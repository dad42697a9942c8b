/** The conditions on which a `beacon_block` message is forwarded. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { computeForkDigestHex, getSignedBlockType, type MessageBusBeaconConfig } from "../spec/config.ts";
import type { CachedState } from "../state/beacon_state.ts";
import { getProposerSignatureSet, verifySignatureSets } from "../state/signatures.ts";
import type { BadBlocks } from "./bad_blocks.ts";
import { type ChainBlock, type SignedBlock, toChainBlock } from "./block.ts";
import type { BlockStore } from "./block_store.ts";
import type { ForkChoice } from "./fork_choice.ts";
import type { BlockVerdict } from "./gossip_codes.ts";
import type { PreStates } from "./pre_states.ts";
import { proposerFromLookahead } from "./proposer.ts";
import type { RootHex } from "./root_hex.ts";
import type { SlotClock } from "./slot_clock.ts";
import { deserialize, uncompress } from "./wire.ts";

/** The shortest block: two offsets, the fixed fields, an empty body's fixed part. */
const MIN_BLOCK_BYTES = 400;

/** Offset of the message in a SignedBeaconBlock: after its own offset and the signature. The slot is its first field. */
const MESSAGE_OFFSET = 100;

export interface BlockGossipDeps {
  readonly config: MessageBusBeaconConfig;
  readonly slots: SlotClock;
  readonly store: BlockStore;
  readonly forkChoice: ForkChoice;
  readonly badBlocks: BadBlocks;
  readonly preStates: PreStates;
}

export interface JudgedBlock {
  readonly verdict: BlockVerdict;
  /** Null where the bytes hold no block worth hashing. */
  readonly signedBlock: SignedBlock | null;
  readonly block: ChainBlock | null;
}

export class BlockGossip {
  private readonly deps: BlockGossipDeps;
  /** Proposers seen with a valid block, by slot; back to the finalized slot. */
  private readonly seenProposers = new Map<number, Set<number>>();

  constructor(deps: BlockGossipDeps) {
    this.deps = deps;
  }

  /**
   * @param hasRoom whether it could be imported now: what is forwarded shall be.
   * @spec bellatrix/p2p-interface.md#beacon_block
   */
  judge(wireData: Uint8Array, forkDigest: string, hasRoom: boolean): JudgedBlock {
    const decoded = this.decode(wireData, forkDigest);
    if ("code" in decoded) return { verdict: decoded, signedBlock: null, block: null };
    const { slot, proposerIndex } = decoded.message;
    const block = toChainBlock(this.deps.config, decoded);
    const verdict = this.judgeDecoded(block, decoded, hasRoom);
    if (verdict.result === "accept") {
      const seen = this.seenProposers.get(slot) ?? new Set();
      this.seenProposers.set(slot, seen.add(proposerIndex));
    }
    return { verdict, signedBlock: decoded, block };
  }

  /** Forgets what finality has decided. */
  onFinalized(slot: number): void {
    for (const seenSlot of this.seenProposers.keys()) if (seenSlot <= slot) this.seenProposers.delete(seenSlot);
  }

  private decode(wireData: Uint8Array, forkDigest: string): SignedBlock | BlockVerdict {
    const { config, forkChoice, slots } = this.deps;
    const bytes = uncompress(wireData, MIN_BLOCK_BYTES);
    if (typeof bytes === "string") return { result: "reject", code: bytes };
    const slot = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(MESSAGE_OFFSET, true));
    // [IGNORE] The block is not from a future slot (with a MAXIMUM_GOSSIP_CLOCK_DISPARITY allowance).
    if (!slots.hasStarted(slot)) return { result: "ignore", code: "FUTURE_SLOT" };
    // The topic's fork digest is that of the block's epoch.
    if (computeForkDigestHex(config, Math.floor(slot / SLOTS_PER_EPOCH)) !== forkDigest) {
      return { result: "reject", code: "WRONG_FORK" };
    }
    // [IGNORE] The block is from a slot greater than the latest finalized slot.
    if (slot <= forkChoice.finalized.epoch * SLOTS_PER_EPOCH) return { result: "ignore", code: "FINALIZED_SLOT" };
    const signedBlock = deserialize(getSignedBlockType(config, slot), bytes);
    if (typeof signedBlock === "string") return { result: "reject", code: signedBlock };
    const { body } = (signedBlock as SignedBlock).message;
    // [REJECT] The length of KZG commitments is less than or equal to the limit.
    if (body.blobKzgCommitments.length > config.getMaxBlobsPerBlock(Math.floor(slot / SLOTS_PER_EPOCH))) {
      return { result: "reject", code: "TOO_MANY_BLOBS" };
    }
    // [REJECT] The execution payload's timestamp is correct with respect to the slot.
    if (body.executionPayload.timestamp !== Math.floor(slots.slotStartMs(slot) / 1000)) {
      return { result: "reject", code: "WRONG_TIMESTAMP" };
    }
    return signedBlock as SignedBlock;
  }

  /** The parent's state may have to be made again: only what a validator has signed makes us work. */
  private judgeDecoded(block: ChainBlock, signedBlock: SignedBlock, hasRoom: boolean): BlockVerdict {
    const { forkChoice, store } = this.deps;
    const { slot, proposerIndex } = signedBlock.message;
    const { finalized } = forkChoice;
    const bad = this.deps.badBlocks.get(block.root);
    if (bad !== undefined) return bad;
    if (store.has(block.root)) return { result: "ignore", code: "ALREADY_KNOWN" };
    // [IGNORE] The block is the first block with valid signature received for the proposer for the slot.
    if (this.seenProposers.get(slot)?.has(proposerIndex)) return { result: "ignore", code: "PROPOSER_REPEATED" };
    // [REJECT] The proposer signature is valid with respect to the proposer's pubkey.
    const signature = this.judgeSignature(signedBlock);
    if (signature !== null) return signature;
    // [REJECT] The block's parent passes validation; [IGNORE] where the execution client alone found it invalid.
    const badParent = this.deps.badBlocks.get(block.parentRoot);
    if (badParent?.code === "INVALID_PAYLOAD") return { result: "ignore", code: "INVALID_PARENT" };
    if (badParent !== undefined) return this.deps.badBlocks.mark(block.root, "reject", "INVALID_PARENT");
    // [IGNORE] The block's parent has been seen (a client MAY queue blocks once the parent is retrieved).
    const parent = forkChoice.get(block.parentRoot);
    if (parent === null) return { result: "ignore", code: "UNKNOWN_PARENT" };
    // [REJECT] The block is from a higher slot than its parent.
    if (slot <= parent.slot) return this.deps.badBlocks.mark(block.root, "reject", "SLOT_NOT_AFTER_PARENT");
    // [REJECT] The current finalized checkpoint is an ancestor of the block.
    if (forkChoice.getCheckpointBlock(block.parentRoot, finalized.epoch) !== finalized.root) {
      return { result: "reject", code: "NOT_FINALIZED_DESCENDANT" };
    }
    const parentState = store.findState(block.parentRoot);
    if (parentState === null) return { result: "ignore", code: "STATE_UNAVAILABLE" };
    // [REJECT] The block is proposed by the expected proposer for the slot.
    if (this.expectedProposer(block.parentRoot, parentState, slot) !== proposerIndex) {
      return this.deps.badBlocks.mark(block.root, "reject", "WRONG_PROPOSER");
    }
    if (!hasRoom) return { result: "ignore", code: "QUEUE_FULL" };
    return { result: "accept", code: "VALID" };
  }

  /** By the pubkeys that any imported state knows; whose a branch's registry does not hold is not due on it. */
  private judgeSignature(signedBlock: SignedBlock): BlockVerdict | null {
    const { forkChoice, store } = this.deps;
    const state = store.getState(forkChoice.finalized.root);
    const { pubkeyCache } = state.epochCtx;
    if (pubkeyCache.get(signedBlock.message.proposerIndex) === undefined) {
      return { result: "ignore", code: "UNKNOWN_PROPOSER" };
    }
    const isValid = verifySignatureSets([getProposerSignatureSet(state, signedBlock)], pubkeyCache);
    return isValid ? null : { result: "reject", code: "BAD_SIGNATURE" };
  }

  /** The lookahead reaches into the next epoch; beyond, the state is advanced, and kept for the import. */
  private expectedProposer(parentRoot: RootHex, parentState: CachedState, slot: number): number | null {
    const known = proposerFromLookahead(parentState, slot);
    return known ?? proposerFromLookahead(this.deps.preStates.make(parentRoot, parentState, slot), slot);
  }
}
