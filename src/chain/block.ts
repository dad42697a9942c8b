/** Blocks of either side of the fork, and what the chain keeps of one. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { type phase0, ssz } from "@lodestar/types";
import { computeForkDigestHex, getSignedBlockType, type MessageBusBeaconConfig } from "../spec/config.ts";
import type { SignedBeaconBlock } from "../spec/types.ts";
import { type CachedState, isMessageBusState } from "../state/beacon_state.ts";
import type { AnySignedBeaconBlock } from "../state/transition.ts";
import type { ArchivedBlock } from "./archive.ts";
import type { WireBlock } from "./ports.ts";
import { type RootHex, toRootHex } from "./root_hex.ts";

export type SignedBlock = AnySignedBeaconBlock;

/** An execution block as the chain knows it. */
export interface PayloadRef {
  /** 32 bytes. */
  readonly blockHash: Uint8Array;
  readonly blockNumber: number;
  /** 32 bytes; zero before the fork. */
  readonly messageBusRoot: Uint8Array;
}

export interface ChainBlock {
  readonly root: RootHex;
  readonly slot: number;
  readonly parentRoot: RootHex;
  readonly header: phase0.SignedBeaconBlockHeader;
  readonly payload: PayloadRef;
  /** Null for an anchor of which only the state is known, such as genesis. */
  readonly signedBlock: SignedBlock | null;
}

const ZERO_ROOT = new Uint8Array(32);
const ZERO_SIGNATURE = new Uint8Array(96);

export function toChainBlock(config: MessageBusBeaconConfig, signedBlock: SignedBlock): ChainBlock {
  const { message, signature } = signedBlock;
  const bodyType = config.getPostDenebForkTypes(message.slot).BeaconBlockBody;
  const header: phase0.BeaconBlockHeader = {
    slot: message.slot,
    proposerIndex: message.proposerIndex,
    parentRoot: message.parentRoot,
    stateRoot: message.stateRoot,
    bodyRoot: bodyType.hashTreeRoot(message.body as never),
  };
  const { executionPayload: payload } = message.body;
  return {
    root: toRootHex(ssz.phase0.BeaconBlockHeader.hashTreeRoot(header)),
    slot: message.slot,
    parentRoot: toRootHex(message.parentRoot),
    header: { message: header, signature },
    payload: {
      blockHash: payload.blockHash,
      blockNumber: payload.blockNumber,
      messageBusRoot: "messageBusRoot" in payload ? payload.messageBusRoot : ZERO_ROOT,
    },
    signedBlock,
  };
}

/** Of the block that `state` is the post state of. */
export function blockRootOf(state: CachedState): RootHex {
  return toRootHex(ssz.phase0.BeaconBlockHeader.hashTreeRoot(headerOf(state)));
}

/** The post state's own root is not in the state: it is filled in with the next slot. */
function headerOf(state: CachedState): phase0.BeaconBlockHeader {
  const header = ssz.phase0.BeaconBlockHeader.clone(state.latestBlockHeader);
  if (ssz.Root.equals(header.stateRoot, ZERO_ROOT)) header.stateRoot = state.hashTreeRoot();
  return header;
}

/** The block that `state` is the post state of, as far as a state tells. */
export function anchorBlockOf(state: CachedState): ChainBlock {
  const header = headerOf(state);
  const { blockHash, blockNumber } = state.latestExecutionPayloadHeader;
  return {
    root: toRootHex(ssz.phase0.BeaconBlockHeader.hashTreeRoot(header)),
    slot: header.slot,
    parentRoot: toRootHex(header.parentRoot),
    header: { message: header, signature: ZERO_SIGNATURE },
    payload: {
      blockHash,
      blockNumber,
      messageBusRoot: isMessageBusState(state) ? state.latestExecutionPayloadHeader.messageBusRoot : ZERO_ROOT,
    },
    signedBlock: null,
  };
}

export function serializeBlock(config: MessageBusBeaconConfig, signedBlock: SignedBlock): WireBlock {
  const { slot } = signedBlock.message;
  return {
    forkDigest: computeForkDigestHex(config, Math.floor(slot / SLOTS_PER_EPOCH)),
    ssz: getSignedBlockType(config, slot).serialize(signedBlock as SignedBeaconBlock),
  };
}

/** Bytes of our own archive. */
export function deserializeBlock(config: MessageBusBeaconConfig, { slot, ssz: bytes }: ArchivedBlock): ChainBlock {
  return toChainBlock(config, getSignedBlockType(config, slot).deserialize(bytes) as SignedBlock);
}
