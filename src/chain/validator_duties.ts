/** What our validators do: propose at their slots, attest once an epoch. Nothing is signed on an unverified payload. */
import type { SecretKey } from "@chainsafe/blst";
import { DOMAIN_BEACON_ATTESTER, SLOTS_PER_EPOCH } from "@lodestar/params";
import { computeSigningRoot } from "@lodestar/state-transition";
import { type electra, type phase0, ssz } from "@lodestar/types";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { computeForkDigestHex } from "../spec/config.ts";
import type { CachedState } from "../state/beacon_state.ts";
import { processSlots } from "../state/transition.ts";
import type { AttestationHandler } from "./attestations.ts";
import { serializeBlock } from "./block.ts";
import type { BlockStore } from "./block_store.ts";
import type { ForkChoice } from "./fork_choice.ts";
import type { BlockImporter } from "./import.ts";
import type { ChainNetwork } from "./ports.ts";
import { type ProduceDeps, produceBlock } from "./produce.ts";
import { proposerFromLookahead } from "./proposer.ts";
import type { RootHex } from "./root_hex.ts";
import { fromRootHex } from "./root_hex.ts";
import type { SlashingProtection } from "./slashing_protection.ts";
import type { SlotClock } from "./slot_clock.ts";

export interface DutyDeps extends ProduceDeps {
  readonly slots: SlotClock;
  readonly store: BlockStore;
  readonly forkChoice: ForkChoice;
  readonly importer: BlockImporter;
  readonly attestationHandler: AttestationHandler;
  readonly network: ChainNetwork;
  readonly protection: SlashingProtection;
  readonly isSynced: () => boolean;
  /** The execution client does not know the payload of a verified block any more. */
  readonly onPayloadLost: (root: RootHex) => void;
  readonly logger: Logger;
}

/** One head with an unknown payload gets no votes and no children; more in a row are an execution client that is away. */
const MAX_UNVERIFIED_BLOCKS = 4;

/** The burn address: no one's fees, on a network without users. */
const FEE_RECIPIENT = new Uint8Array(20);

export class ValidatorDuties {
  private readonly deps: DutyDeps;
  /** By validator index. */
  private readonly keys: ReadonlyMap<number, SecretKey>;
  private attestedSlot = -1;
  private proposedSlot = -1;

  constructor(deps: DutyDeps, keys: ReadonlyMap<number, SecretKey>) {
    this.deps = deps;
    this.keys = keys;
  }

  /** Proposes where one of ours is due. Never rejects. */
  async onSlot(slot: number): Promise<void> {
    if (this.keys.size === 0 || slot === 0 || slot <= this.proposedSlot || !this.deps.isSynced()) return;
    const { logger } = this.deps;
    this.proposedSlot = slot;
    try {
      await this.propose(slot);
    } catch (error) {
      logger.error({ slot, error: errorMessage(error) }, "Proposing failed");
    }
  }

  /** Attests once in the slot: when its block is in, or a third of the slot has passed. Never throws. */
  attest(slot: number): void {
    if (this.keys.size === 0 || slot <= this.attestedSlot || !this.deps.isSynced()) return;
    try {
      this.attestIn(slot);
    } catch (error) {
      this.deps.logger.error({ slot, error: errorMessage(error) }, "Attesting failed");
    }
  }

  private async propose(slot: number): Promise<void> {
    const { config, importer, logger, network, protection } = this.deps;
    const head = this.dutyHead();
    if (head === null) {
      logger.debug({ slot }, "No verified head to propose on");
      return;
    }
    const parentState = this.deps.store.getState(head);
    if (parentState.latestBlockHeader.slot >= slot) return;
    // Most slots are others': told without advancing the state, which at an epoch's start is the costliest step.
    const due = proposerFromLookahead(parentState, slot);
    if (due !== null && !this.keys.has(due)) return;
    const preState = processSlots(parentState, slot);
    const proposer = preState.epochCtx.getBeaconProposer(slot);
    const secretKey = this.keys.get(proposer);
    if (secretKey === undefined || !protection.mayPropose(proposer, slot)) return;
    const produced = await produceBlock(this.deps, head, preState, secretKey, FEE_RECIPIENT);
    if (produced === "PARENT_LOST") {
      this.deps.onPayloadLost(head);
      return;
    }
    if (produced === null) {
      // Why, the payload verifier has logged.
      logger.debug({ slot, proposer }, "Slot missed: the execution client cannot build a payload");
      return;
    }
    const { forkDigest, ssz: bytes } = serializeBlock(config, produced.signedBlock);
    // Sent before the import, whose head event makes our validators attest: the block shall arrive before their votes.
    const published = network.publishBlock(forkDigest, bytes).catch((error: unknown) => {
      logger.warn({ slot, proposer, error: errorMessage(error) }, "Our block was not published");
    });
    const outcome = await importer.importBlock(produced.signedBlock, { postState: produced.postState });
    await published;
    if (outcome.code === "STOPPED") return;
    if (outcome.code !== "IMPORTED") {
      logger.error({ slot, proposer, ...outcome }, "Our own block was not imported");
      return;
    }
    const { body } = produced.signedBlock.message;
    const exits = "triggeredExits" in body ? body.triggeredExits.length : 0;
    logger.info({ slot, proposer, attestations: body.attestations.length, exits }, "Block proposed");
  }

  private attestIn(slot: number): void {
    const head = this.dutyHead();
    if (head === null) return;
    const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
    const headState = this.deps.store.getState(head);
    if (headState.latestBlockHeader.slot > slot) return;
    this.attestedSlot = slot;
    const epochStart = epoch * SLOTS_PER_EPOCH;
    const state = headState.slot < epochStart ? processSlots(headState, epochStart) : headState;
    const target = this.deps.forkChoice.getCheckpointBlock(head, epoch) ?? head;
    const data: phase0.AttestationData = {
      slot,
      index: 0,
      beaconBlockRoot: fromRootHex(head),
      source: state.currentJustifiedCheckpoint.toValue(),
      target: { epoch, root: fromRootHex(target) },
    };
    this.sign(state, data);
  }

  private sign(state: CachedState, data: phase0.AttestationData): void {
    const { config, protection } = this.deps;
    const committees = state.epochCtx.getShufflingAtSlot(data.slot).committees[data.slot % SLOTS_PER_EPOCH] ?? [];
    const committeeOf = new Map<number, number>();
    for (const [committeeIndex, committee] of committees.entries()) {
      for (const validator of committee) if (this.keys.has(validator)) committeeOf.set(validator, committeeIndex);
    }
    const signingRoot = computeSigningRoot(
      ssz.phase0.AttestationData,
      data,
      config.getDomain(data.slot, DOMAIN_BEACON_ATTESTER, data.slot),
    );
    for (const attesterIndex of protection.mayAttest([...committeeOf.keys()], data.source.epoch, data.target.epoch)) {
      const secretKey = this.keys.get(attesterIndex) as SecretKey;
      const committeeIndex = committeeOf.get(attesterIndex) as number;
      const signature = secretKey.sign(signingRoot).toBytes();
      this.publish({ attesterIndex, committeeIndex, data, signature }, state);
    }
  }

  private publish(attestation: electra.SingleAttestation, state: CachedState): void {
    const { attestationHandler, config, logger, network } = this.deps;
    const subnet = attestationHandler.takeOwn(attestation, state);
    if (subnet === null) return;
    const forkDigest = computeForkDigestHex(config, attestation.data.target.epoch);
    const bytes = ssz.electra.SingleAttestation.serialize(attestation);
    network.publishAttestation(subnet, forkDigest, bytes).catch((error: unknown) => {
      logger.debug({ slot: attestation.data.slot, error: errorMessage(error) }, "Attestation not published");
    });
  }

  /**
   * Where duties build: on a verified head as everyone. While the head waits for its verification, on the best verified
   * block, or else one proposer with a payload that no one knows would silence the network. With many in a row it is our
   * execution client that is away: a vote would be stale, and nothing is signed.
   * @spec sync/optimistic.md#validator-assignments
   */
  private dutyHead(): RootHex | null {
    const { forkChoice } = this.deps;
    const head = forkChoice.getHead();
    if (forkChoice.isVerified(head)) return head;
    let unverified = 0;
    for (const { root, status } of forkChoice.chain(head)) {
      if (root !== forkChoice.finalized.root && status !== "VALID") unverified++;
    }
    return unverified <= MAX_UNVERIFIED_BLOCKS ? forkChoice.getVerifiedHead() : null;
  }
}
