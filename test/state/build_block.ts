/** Makes whole, signed blocks on a state: every validator attests and takes part in the sync committee. */
import { aggregateSignatures, type Signature } from "@chainsafe/blst";
import { BitArray } from "@chainsafe/ssz";
import {
  DOMAIN_BEACON_ATTESTER,
  DOMAIN_BEACON_PROPOSER,
  DOMAIN_RANDAO,
  DOMAIN_SYNC_COMMITTEE,
  MAX_COMMITTEES_PER_SLOT,
  SLOTS_PER_EPOCH,
  SYNC_COMMITTEE_SIZE,
} from "@lodestar/params";
import { computeSigningRoot, computeTimeAtSlot, getBlockRootAtSlot, getRandaoMix } from "@lodestar/state-transition";
import { type electra, ssz } from "@lodestar/types";
import { getSignedBlockType, isMessageBusSlot } from "../../src/spec/config.ts";
import { BeaconBlockBody, type SignedBeaconBlock, type TriggeredExit } from "../../src/spec/types.ts";
import { asFulu, type CachedState } from "../../src/state/beacon_state.ts";
import { getInteropKey } from "../../src/state/interop_keys.ts";
import { getExpectedWithdrawals, processBlock, processSlots } from "../../src/state/transition.ts";

export type BlockContents = {
  /** 32 bytes; zero by default. */
  messageBusRoot?: Uint8Array;
  triggeredExits?: TriggeredExit[];
  /** Changes the block before it is signed. */
  edit?: (block: SignedBeaconBlock["message"]) => void;
};

/** A block of any slot after the state's, by its proposer's interop key. Before the fork our fields are not part of it. */
export function buildBlock(pre: CachedState, slot: number, contents: BlockContents = {}): SignedBeaconBlock {
  const state = processSlots(pre, slot);
  const { config, epochCtx } = state;
  const proposerIndex = epochCtx.getBeaconProposer(slot);
  const proposer = getInteropKey(proposerIndex).secretKey;
  const epoch = epochCtx.epoch;
  const randaoDomain = config.getDomain(slot, DOMAIN_RANDAO);
  const body = BeaconBlockBody.defaultValue();
  body.randaoReveal = proposer.sign(computeSigningRoot(ssz.Epoch, epoch, randaoDomain)).toBytes();
  body.eth1Data = state.eth1Data.toValue();
  body.attestations = slot === 1 ? [] : [attestAll(state, slot - 1)];
  body.syncAggregate = signSyncAggregate(state, slot);
  const { blockHash, blockNumber } = state.latestExecutionPayloadHeader;
  body.executionPayload = {
    ...body.executionPayload,
    parentHash: blockHash,
    blockNumber: blockNumber + 1,
    blockHash: new Uint8Array(32).fill(slot),
    prevRandao: getRandaoMix(asFulu(state), epoch),
    timestamp: computeTimeAtSlot(config, slot, state.genesisTime),
    withdrawals: getExpectedWithdrawals(state),
    messageBusRoot: contents.messageBusRoot ?? new Uint8Array(32),
  };
  body.triggeredExits = contents.triggeredExits ?? [];
  const block = {
    slot,
    proposerIndex,
    parentRoot: ssz.phase0.BeaconBlockHeader.hashTreeRoot(state.latestBlockHeader),
    stateRoot: new Uint8Array(32) as Uint8Array,
    body,
  };
  contents.edit?.(block);
  try {
    const post = state.clone() as CachedState;
    processBlock(post, block, { payloadStatus: "VALID", verifySignatures: false });
    block.stateRoot = post.hashTreeRoot();
  } catch {
    // A block that is wrong on purpose keeps the zero root.
  }
  const type = getSignedBlockType(config, slot).fields.message;
  const domain = config.getDomain(slot, DOMAIN_BEACON_PROPOSER);
  const signed = { message: block, signature: proposer.sign(computeSigningRoot(type, block, domain)).toBytes() };
  return isMessageBusSlot(config, slot) ? signed : (ssz.fulu.SignedBeaconBlock.clone(signed) as SignedBeaconBlock);
}

/** One attestation of all committees of a slot, voting for the state's own chain. */
function attestAll(state: CachedState, slot: number): electra.Attestation {
  const { config, epochCtx } = state;
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const committees = epochCtx.getShufflingAtEpoch(epoch).committees[slot % SLOTS_PER_EPOCH] ?? [];
  const isCurrent = epoch === epochCtx.epoch;
  const rootAt = (at: number) => getBlockRootAtSlot(asFulu(state), at);
  const data = {
    slot,
    index: 0,
    beaconBlockRoot: rootAt(slot),
    source: (isCurrent ? state.currentJustifiedCheckpoint : state.previousJustifiedCheckpoint).toValue(),
    target: { epoch, root: rootAt(epoch * SLOTS_PER_EPOCH) },
  };
  const signingRoot = computeSigningRoot(
    ssz.phase0.AttestationData,
    data,
    config.getDomain(state.slot, DOMAIN_BEACON_ATTESTER, slot),
  );
  const attesters = committees.flatMap((committee) => Array.from(committee));
  return {
    aggregationBits: BitArray.fromBoolArray(attesters.map(() => true)),
    data,
    signature: aggregate(attesters.map((index) => getInteropKey(index).secretKey.sign(signingRoot))),
    committeeBits: BitArray.fromBoolArray(
      Array.from({ length: MAX_COMMITTEES_PER_SLOT }, (_, i) => i < committees.length),
    ),
  };
}

function signSyncAggregate(state: CachedState, slot: number) {
  const previousSlot = slot - 1;
  const signingRoot = computeSigningRoot(
    ssz.Root,
    getBlockRootAtSlot(asFulu(state), previousSlot),
    state.config.getDomain(slot, DOMAIN_SYNC_COMMITTEE, previousSlot),
  );
  const members = Array.from(state.epochCtx.currentSyncCommitteeIndexed.validatorIndices);
  return {
    syncCommitteeBits: BitArray.fromBoolArray(Array.from({ length: SYNC_COMMITTEE_SIZE }, () => true)),
    syncCommitteeSignature: aggregate(members.map((index) => getInteropKey(index).secretKey.sign(signingRoot))),
  };
}

function aggregate(signatures: Signature[]): Uint8Array {
  return aggregateSignatures(signatures).toBytes();
}
