import { Signature, verify, verifyMultipleAggregateSignatures } from "@chainsafe/blst";
import { ForkSeq } from "@lodestar/params";
import {
  getBlockProposerSignatureSet,
  getBlockSignatureSets,
  getSignatureSetPubkey,
  type ISignatureSet,
  type PubkeyCache,
} from "@lodestar/state-transition";
import type { fulu } from "@lodestar/types";
import type { SignedBeaconBlock } from "../spec/types.ts";
import { asFulu, type CachedState } from "./beacon_state.ts";

/** A signed block of either side of the fork. */
export type AnySignedBeaconBlock = SignedBeaconBlock | fulu.SignedBeaconBlock;

/**
 * All signatures of a block, to be verified in one batch; the proposer's may be left out where gossip has checked it.
 * Deposits' always are: they may legally be wrong. `state` is the block's parent's, advanced to the block's slot.
 * Throws where the block is invalid.
 */
export function getBlockSignatureSetsOf(
  state: CachedState,
  signedBlock: AnySignedBeaconBlock,
  { withProposer = true }: { withProposer?: boolean } = {},
): ISignatureSet[] {
  const { epochCtx, config } = state;
  const block = signedBlock as fulu.SignedBeaconBlock;
  const indexedAttestations = block.message.body.attestations.map((attestation) =>
    epochCtx.getIndexedAttestation(ForkSeq.fulu, attestation),
  );
  const view = asFulu(state) as unknown as Parameters<typeof getBlockSignatureSets>[2];
  return getBlockSignatureSets(config, epochCtx.currentSyncCommitteeIndexed, view, block, indexedAttestations, {
    skipProposerSignature: !withProposer,
  });
}

/** The proposer's signature alone, as gossip checks it. The index must be below the registry's length. */
export function getProposerSignatureSet(state: CachedState, signedBlock: AnySignedBeaconBlock): ISignatureSet {
  return getBlockProposerSignatureSet(state.config, signedBlock as fulu.SignedBeaconBlock);
}

/**
 * One multi-pairing for all sets, with random coefficients: false when any signature is wrong or no group element. Blocks
 * the event loop for 7 to 8 ms for a block with one attestation.
 */
export function verifySignatureSets(sets: ISignatureSet[], pubkeyCache: PubkeyCache): boolean {
  try {
    const batch = sets.map((set) => ({
      msg: set.signingRoot,
      pk: getSignatureSetPubkey(set, pubkeyCache),
      sig: Signature.fromBytes(set.signature, true),
    }));
    const [first, ...others] = batch;
    if (first === undefined) return true;
    return others.length === 0 ? verify(first.msg, first.pk, first.sig) : verifyMultipleAggregateSignatures(batch);
  } catch {
    // Not a point of the curve or of its subgroup, or a signer without a pubkey.
    return false;
  }
}
