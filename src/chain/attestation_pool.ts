/** Verified single attestations, added up by what they attest to, for the next blocks. */
import { aggregateSignatures, type Signature } from "@chainsafe/blst";
import { BitArray } from "@chainsafe/ssz";
import {
  MAX_ATTESTATIONS_ELECTRA,
  MAX_COMMITTEES_PER_SLOT,
  MIN_ATTESTATION_INCLUSION_DELAY,
  SLOTS_PER_EPOCH,
} from "@lodestar/params";
import { type electra, type phase0, ssz } from "@lodestar/types";
import type { CachedState } from "../state/beacon_state.ts";

/** Attestations are of use until the end of the next epoch. */
const KEPT_EPOCHS = 2;

/** Different votes of one slot: honest ones are one or two, and each costs a validator its one vote of the epoch. */
const MAX_VOTES_PER_SLOT = 64;

interface CommitteeVotes {
  readonly bits: boolean[];
  signature: Signature;
}

interface Vote {
  readonly data: phase0.AttestationData;
  /** Names the shuffling that the committees are of. */
  readonly decisionRoot: string;
  readonly committees: Map<number, CommitteeVotes>;
}

export interface VerifiedAttestation {
  readonly data: phase0.AttestationData;
  readonly committeeIndex: number;
  /** Of the attester in its committee. */
  readonly position: number;
  readonly committeeSize: number;
  readonly decisionRoot: string;
  readonly signature: Signature;
}

export class AttestationPool {
  /** By slot, then by root of the data and shuffling. */
  private readonly bySlot = new Map<number, Map<string, Vote>>();

  /** False where the slot has too many different votes, or the attester's is in already. */
  add(attestation: VerifiedAttestation): boolean {
    const { data, committeeIndex, position, committeeSize, decisionRoot, signature } = attestation;
    const votes = this.bySlot.get(data.slot) ?? new Map<string, Vote>();
    const key = `${Buffer.from(ssz.phase0.AttestationData.hashTreeRoot(data)).toString("base64")}${decisionRoot}`;
    const vote: Vote = votes.get(key) ?? { data, decisionRoot, committees: new Map() };
    if (!votes.has(key) && votes.size >= MAX_VOTES_PER_SLOT) return false;
    this.bySlot.set(data.slot, votes.set(key, vote));
    const committee = vote.committees.get(committeeIndex);
    if (committee === undefined) {
      const bits = new Array<boolean>(committeeSize).fill(false);
      bits[position] = true;
      vote.committees.set(committeeIndex, { bits, signature });
      return true;
    }
    if (committee.bits[position]) return false;
    committee.bits[position] = true;
    committee.signature = aggregateSignatures([committee.signature, signature]);
    return true;
  }

  prune(currentSlot: number): void {
    const oldestSlot = (Math.floor(currentSlot / SLOTS_PER_EPOCH) - KEPT_EPOCHS + 1) * SLOTS_PER_EPOCH;
    for (const slot of this.bySlot.keys()) if (slot < oldestSlot) this.bySlot.delete(slot);
  }

  get size(): number {
    let size = 0;
    for (const votes of this.bySlot.values()) size += votes.size;
    return size;
  }

  /**
   * The aggregates that tell `state`, the pre-state of a block in its slot, most that it does not know yet; one for each
   * vote, over all its committees.
   * @spec electra/validator.md#attestations
   */
  pack(state: CachedState): electra.Attestation[] {
    const candidates: { attestation: electra.Attestation; fresh: number }[] = [];
    for (const [slot, votes] of this.bySlot) {
      if (slot + MIN_ATTESTATION_INCLUSION_DELAY > state.slot) continue;
      for (const vote of votes.values()) {
        const candidate = this.aggregate(state, vote);
        if (candidate !== null) candidates.push(candidate);
      }
    }
    candidates.sort((a, b) => b.fresh - a.fresh);
    return candidates.slice(0, MAX_ATTESTATIONS_ELECTRA).map(({ attestation }) => attestation);
  }

  private aggregate(state: CachedState, { data, decisionRoot, committees }: Vote) {
    const { epochCtx } = state;
    const isCurrent = data.target.epoch === epochCtx.epoch;
    if (!isCurrent && data.target.epoch !== epochCtx.epoch - 1) return null;
    const source = isCurrent ? state.currentJustifiedCheckpoint : state.previousJustifiedCheckpoint;
    if (!ssz.phase0.Checkpoint.equals(data.source, source)) return null;
    if (epochCtx.getShufflingDecisionRoot(data.target.epoch) !== decisionRoot) return null;
    const participation = isCurrent ? state.currentEpochParticipation : state.previousEpochParticipation;
    const committeeBits = BitArray.fromBitLen(MAX_COMMITTEES_PER_SLOT);
    const bits: boolean[] = [];
    const signatures: Signature[] = [];
    let fresh = 0;
    for (const [index, votes] of [...committees].sort(([a], [b]) => a - b)) {
      const committee = epochCtx.getBeaconCommittee(data.slot, index);
      const freshHere = votes.bits.filter((bit, i) => bit && participation.get(committee[i] as number) === 0).length;
      if (freshHere === 0) continue;
      fresh += freshHere;
      committeeBits.set(index, true);
      bits.push(...votes.bits);
      signatures.push(votes.signature);
    }
    if (fresh === 0) return null;
    const signature = aggregateSignatures(signatures).toBytes();
    return { attestation: { aggregationBits: BitArray.fromBoolArray(bits), data, signature, committeeBits }, fresh };
  }
}
