/** Single attestations from gossip and from our own validators: judged, counted as votes, pooled for blocks. */
import { Signature, verify } from "@chainsafe/blst";
import { ATTESTATION_SUBNET_COUNT, SLOTS_PER_EPOCH } from "@lodestar/params";
import { getAttestationDataSigningRoot } from "@lodestar/state-transition";
import { type electra, ssz } from "@lodestar/types";
import type { Clock } from "../base/clock.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "../spec/config.ts";
import type { CachedState } from "../state/beacon_state.ts";
import { processSlots } from "../state/transition.ts";
import type { AttestationPool, VerifiedAttestation } from "./attestation_pool.ts";
import type { BlockStore } from "./block_store.ts";
import type { ForkChoice } from "./fork_choice.ts";
import type { AttestationCode, AttestationVerdict } from "./gossip_codes.ts";
import type { RootHex } from "./root_hex.ts";
import { toRootHex } from "./root_hex.ts";
import { MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS, type SlotClock } from "./slot_clock.ts";
import { deserialize, uncompress } from "./wire.ts";

const SINGLE_ATTESTATION_SIZE_BYTES = 240;

/** How far an attested block may lie before the target epoch: bounds the epochs processed for a stranger's sake. */
const MAX_EPOCHS_BEHIND_TARGET = 8;

/** Shufflings of blocks that lie more than one epoch back; the oldest is dropped and made again. */
const MAX_ADVANCED_SHUFFLINGS = 8;

/**
 * An attestation often comes while its block is still being imported. It waits that long, which leaves gossipsub's
 * message cache (6 heartbeats of 0.7 s) time to forward it.
 */
const WAIT_FOR_BLOCK_MS = 1000;
/** Protects memory, 1 kB each; beyond, an attestation to an unknown block is ignored at once. */
const MAX_WAITING_ATTESTATIONS = 4096;

interface Committees {
  readonly decisionRoot: string;
  readonly committees: Uint32Array[][];
  readonly committeesPerSlot: number;
}

export interface AttestationDeps {
  readonly config: MessageBusBeaconConfig;
  readonly clock: Clock;
  readonly slots: SlotClock;
  readonly store: BlockStore;
  readonly forkChoice: ForkChoice;
  readonly pool: AttestationPool;
  /** Whether a block was found invalid. */
  readonly isBadBlock: (root: RootHex) => boolean;
}

export class AttestationHandler {
  private readonly deps: AttestationDeps;
  /** Attesters by target epoch: the current and the previous one. */
  private readonly seen = new Map<number, Set<number>>();
  private readonly advanced = new Map<string, Committees>();
  private readonly waiting = new Map<RootHex, Set<() => void>>();
  private waitingCount = 0;

  constructor(deps: AttestationDeps) {
    this.deps = deps;
  }

  /**
   * Judges a `beacon_attestation_{subnet}` message; what is accepted is counted and pooled.
   * @spec electra/p2p-interface.md#beacon_attestation_subnet_id
   */
  async onGossipAttestation(wireData: Uint8Array, subnet: number, forkDigest: string): Promise<AttestationVerdict> {
    const bytes = uncompress(wireData, SINGLE_ATTESTATION_SIZE_BYTES, SINGLE_ATTESTATION_SIZE_BYTES);
    if (typeof bytes === "string") return { result: "reject", code: bytes };
    const attestation = deserialize(ssz.electra.SingleAttestation, bytes);
    if (typeof attestation === "string") return { result: "reject", code: attestation };
    const early = this.judgeBeforeBlock(attestation, forkDigest);
    if (early !== null) return early;
    const blockRoot = toRootHex(attestation.data.beaconBlockRoot);
    if (!this.deps.forkChoice.has(blockRoot)) await this.waitForBlock(blockRoot);
    return this.judgeAndTake(attestation, blockRoot, subnet);
  }

  /** Takes an attestation of ours and tells its subnet; null where the validator has attested in this epoch. */
  takeOwn(attestation: electra.SingleAttestation, state: CachedState): number | null {
    const { attesterIndex, committeeIndex, data } = attestation;
    if (this.seen.get(data.target.epoch)?.has(attesterIndex)) return null;
    const shuffling = committeesOf(state, data.target.epoch);
    const committee = shuffling?.committees[data.slot % SLOTS_PER_EPOCH]?.[committeeIndex];
    const position = committee?.indexOf(attesterIndex) ?? -1;
    if (shuffling === null || committee === undefined || position < 0) return null;
    const signature = Signature.fromBytes(attestation.signature);
    const { decisionRoot } = shuffling;
    this.take(attestation, { position, committeeSize: committee.length, decisionRoot, signature });
    return computeSubnetForAttestation(shuffling.committeesPerSlot, data.slot, committeeIndex);
  }

  /** Releases the attestations that waited for the block. */
  onBlockImported(root: RootHex): void {
    const waiting = this.waiting.get(root);
    this.waiting.delete(root);
    for (const release of waiting ?? []) release();
  }

  prune(currentSlot: number): void {
    this.deps.pool.prune(currentSlot);
    const previousEpoch = Math.floor(currentSlot / SLOTS_PER_EPOCH) - 1;
    for (const epoch of this.seen.keys()) if (epoch < previousEpoch) this.seen.delete(epoch);
  }

  stop(): void {
    for (const root of [...this.waiting.keys()]) this.onBlockImported(root);
  }

  private judgeBeforeBlock(
    { attesterIndex, data }: electra.SingleAttestation,
    digest: string,
  ): AttestationVerdict | null {
    // The topic's fork digest is that of the attestation's epoch.
    if (computeForkDigestHex(this.deps.config, data.target.epoch) !== digest) return reject("WRONG_FORK");
    // [REJECT] attestation.data.index == 0
    if (data.index !== 0) return reject("NONZERO_INDEX");
    // [REJECT] The attestation's epoch matches its target.
    if (data.target.epoch !== Math.floor(data.slot / SLOTS_PER_EPOCH)) return reject("WRONG_TARGET_EPOCH");
    // [IGNORE] data.slot is not from the future, and its epoch is the current or the previous one.
    if (!this.isInRange(data.slot)) return ignore("SLOT_OUT_OF_RANGE");
    // [IGNORE] There has been no other valid attestation of the validator for the target epoch.
    if (this.seen.get(data.target.epoch)?.has(attesterIndex)) return ignore("ALREADY_SEEN");
    return null;
  }

  private isInRange(slot: number): boolean {
    const { clock, slots } = this.deps;
    const earliestSlot = slots.slotAtMs(clock.nowMs() - MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS);
    return (
      slots.hasStarted(slot) && Math.floor(slot / SLOTS_PER_EPOCH) >= Math.floor(earliestSlot / SLOTS_PER_EPOCH) - 1
    );
  }

  private judgeAndTake(attestation: electra.SingleAttestation, blockRoot: RootHex, subnet: number): AttestationVerdict {
    const { config, forkChoice } = this.deps;
    const { attesterIndex, committeeIndex, data } = attestation;
    const { finalized } = forkChoice;
    const block = forkChoice.get(blockRoot);
    // [REJECT] The block being voted for passes validation. Ours may be an opinion of our execution client alone.
    if (this.deps.isBadBlock(blockRoot)) return ignore("INVALID_BLOCK");
    // [IGNORE] The block being voted for has been seen.
    if (block === null) return ignore("UNKNOWN_BLOCK");
    // Fork choice asserts that no one attests to a block later than the attestation's slot.
    if (block.slot > data.slot) return ignore("BLOCK_AFTER_SLOT");
    // [IGNORE] The current finalized checkpoint is an ancestor of the block.
    if (forkChoice.getCheckpointBlock(blockRoot, finalized.epoch) !== finalized.root) {
      return ignore("NOT_FINALIZED_DESCENDANT");
    }
    // [REJECT] The attestation's target block is an ancestor of the block named in the LMD vote.
    if (forkChoice.getCheckpointBlock(blockRoot, data.target.epoch) !== toRootHex(data.target.root)) {
      return reject("WRONG_TARGET");
    }
    // [REJECT] The signature is valid. Before the committee, whose state may have to be made: only validators make us work.
    const pubkey = this.deps.store.getState(finalized.root).epochCtx.pubkeyCache.get(attesterIndex);
    const signature = parseSignature(attestation.signature);
    const signingRoot = getAttestationDataSigningRoot(config, data.slot, data);
    if (pubkey === undefined || signature === null || !verify(signingRoot, pubkey, signature)) {
      return reject("BAD_SIGNATURE");
    }
    const shuffling = this.committeesFor(blockRoot, block.slot, data.target.epoch);
    if (shuffling === null) return ignore("BLOCK_TOO_OLD");
    // [REJECT] The committee index is within the expected range.
    const committee = shuffling.committees[data.slot % SLOTS_PER_EPOCH]?.[committeeIndex];
    if (committee === undefined) return reject("UNKNOWN_COMMITTEE");
    // [REJECT] The attestation is for the correct subnet.
    const expectedSubnet = computeSubnetForAttestation(shuffling.committeesPerSlot, data.slot, committeeIndex);
    if (expectedSubnet !== subnet) return reject("WRONG_SUBNET");
    // [REJECT] The attester is a member of the committee.
    const position = committee.indexOf(attesterIndex);
    if (position < 0) return reject("NOT_IN_COMMITTEE");
    // Checked again: another one of the same validator may have been taken while this one waited for its block.
    if (this.seen.get(data.target.epoch)?.has(attesterIndex)) return ignore("ALREADY_SEEN");
    const { decisionRoot } = shuffling;
    this.take(attestation, { position, committeeSize: committee.length, decisionRoot, signature });
    return { result: "accept", code: "VALID" };
  }

  private take(
    { attesterIndex, committeeIndex, data }: electra.SingleAttestation,
    verified: Omit<VerifiedAttestation, "committeeIndex" | "data">,
  ): void {
    const seen = this.seen.get(data.target.epoch) ?? new Set();
    this.seen.set(data.target.epoch, seen.add(attesterIndex));
    this.deps.pool.add({ committeeIndex, data, ...verified });
    this.deps.forkChoice.onAttestation([attesterIndex], toRootHex(data.beaconBlockRoot), data.target.epoch, data.slot);
  }

  /** A block's state knows the committees of its own epoch and of the two beside it; beyond, it is advanced. */
  private committeesFor(blockRoot: RootHex, blockSlot: number, epoch: number): Committees | null {
    if (epoch - Math.floor(blockSlot / SLOTS_PER_EPOCH) > MAX_EPOCHS_BEHIND_TARGET) return null;
    const key = `${blockRoot}:${epoch}`;
    const advanced = this.advanced.get(key);
    if (advanced !== undefined) return advanced;
    const state = this.deps.store.findState(blockRoot);
    if (state === null) return null;
    const known = committeesOf(state, epoch);
    if (known !== null) return known;
    const made = committeesOf(processSlots(state, epoch * SLOTS_PER_EPOCH), epoch);
    if (made !== null) this.advanced.set(key, made);
    for (const oldest of this.advanced.keys()) {
      if (this.advanced.size <= MAX_ADVANCED_SHUFFLINGS) break;
      this.advanced.delete(oldest);
    }
    return made;
  }

  private waitForBlock(root: RootHex): Promise<void> {
    if (this.waitingCount >= MAX_WAITING_ATTESTATIONS) return Promise.resolve();
    this.waitingCount++;
    return new Promise((resolve) => {
      const waiting = this.waiting.get(root) ?? new Set();
      this.waiting.set(root, waiting);
      const release = () => {
        cancel();
        this.waitingCount--;
        waiting.delete(release);
        if (waiting.size === 0 && this.waiting.get(root) === waiting) this.waiting.delete(root);
        resolve();
      };
      const cancel = this.deps.clock.after(WAIT_FOR_BLOCK_MS, release);
      waiting.add(release);
    });
  }
}

/** @spec phase0/validator.md#broadcast-attestation */
export function computeSubnetForAttestation(committeesPerSlot: number, slot: number, committeeIndex: number): number {
  return (committeesPerSlot * (slot % SLOTS_PER_EPOCH) + committeeIndex) % ATTESTATION_SUBNET_COUNT;
}

/** How many subnets, from 0 on, the state's epoch uses. With few validators these are far fewer than 64. */
export function subnetsInUse(state: CachedState): number {
  const { committeesPerSlot } = state.epochCtx.currentShuffling;
  return Math.min(ATTESTATION_SUBNET_COUNT, committeesPerSlot * SLOTS_PER_EPOCH);
}

function committeesOf(state: CachedState, epoch: number): Committees | null {
  const shuffling = state.epochCtx.getShufflingAtEpochOrNull(epoch);
  if (shuffling === null) return null;
  const { committees, committeesPerSlot } = shuffling;
  return { committees, committeesPerSlot, decisionRoot: state.epochCtx.getShufflingDecisionRoot(epoch) };
}

/** Null when the bytes are no point of the signatures' group. */
function parseSignature(bytes: Uint8Array): Signature | null {
  try {
    return Signature.fromBytes(bytes, true);
  } catch {
    return null;
  }
}

function ignore(code: AttestationCode): AttestationVerdict {
  return { result: "ignore", code };
}

function reject(code: AttestationCode): AttestationVerdict {
  return { result: "reject", code };
}
