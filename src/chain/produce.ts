/** A block of ours: built on a verified head, its operations chosen against the state after its payload. */
import type { SecretKey } from "@chainsafe/blst";
import { BitArray } from "@chainsafe/ssz";
import { DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO, SLOTS_PER_EPOCH, SYNC_COMMITTEE_SIZE } from "@lodestar/params";
import { computeSigningRoot } from "@lodestar/state-transition";
import { ssz } from "@lodestar/types";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { isMessageBusSlot, type MessageBusBeaconConfig } from "../spec/config.ts";
import type { BeaconBlock, BeaconBlockBody, TriggeredExit } from "../spec/types.ts";
import { type CachedState, isMessageBusState } from "../state/beacon_state.ts";
import { getExpectedWithdrawals, processBlock, processBlockBeforeTriggeredExits } from "../state/transition.ts";
import type { AttestationPool } from "./attestation_pool.ts";
import type { SignedBlock } from "./block.ts";
import type { PayloadVerifier } from "./payloads.ts";
import type { PackTriggeredExits } from "./ports.ts";
import type { RootHex } from "./root_hex.ts";
import { fromRootHex } from "./root_hex.ts";

/** The point at infinity: the aggregate of no signature at all. Our validators take no part in sync committees. */
const INFINITY_SIGNATURE = Uint8Array.from({ length: 96 }, (_, i) => (i === 0 ? 0xc0 : 0));

const GRAFFITI = new Uint8Array(32);

export interface ProduceDeps {
  readonly config: MessageBusBeaconConfig;
  readonly payloads: PayloadVerifier;
  readonly attestations: AttestationPool;
  readonly packTriggeredExits: PackTriggeredExits;
  readonly logger: Logger;
}

export interface ProducedBlock {
  readonly signedBlock: SignedBlock;
  readonly postState: CachedState;
}

/**
 * @param preState the parent's post state advanced to the block's slot; left as it is.
 * Null when the execution client cannot build now; `PARENT_LOST` when it does not know the parent's payload.
 */
export async function produceBlock(
  deps: ProduceDeps,
  parentRoot: RootHex,
  preState: CachedState,
  secretKey: SecretKey,
  suggestedFeeRecipient: Uint8Array,
): Promise<ProducedBlock | "PARENT_LOST" | null> {
  const built = await buildPayload(deps, parentRoot, preState, suggestedFeeRecipient);
  if (built === null || built === "PARENT_LOST") return built;
  const { config } = deps;
  const slot = preState.slot;
  const draft: Draft = {
    slot,
    proposerIndex: preState.epochCtx.getBeaconProposer(slot),
    parentRoot: fromRootHex(parentRoot),
    body: {
      randaoReveal: signRandao(config, slot, secretKey),
      eth1Data: preState.eth1Data.toValue(),
      graffiti: GRAFFITI,
      proposerSlashings: [],
      attesterSlashings: [],
      attestations: deps.attestations.pack(preState),
      deposits: [],
      voluntaryExits: [],
      syncAggregate: {
        syncCommitteeBits: BitArray.fromBitLen(SYNC_COMMITTEE_SIZE),
        syncCommitteeSignature: INFINITY_SIGNATURE,
      },
      executionPayload: built.payload,
      blsToExecutionChanges: [],
      blobKzgCommitments: [],
      executionRequests: built.executionRequests,
    },
  };
  const { message, postState } = completeBlock(deps, draft, preState);
  return { signedBlock: sign(config, message, secretKey), postState };
}

/**
 * A block without exits and state root. The library keeps a block's root in the object once it is computed, so each
 * step makes an object of its own from this one, which is never hashed.
 */
type Draft = Omit<BeaconBlock, "stateRoot" | "body"> & { readonly body: Omit<BeaconBlockBody, "triggeredExits"> };

function toBlock(config: MessageBusBeaconConfig, { body, ...draft }: Draft, exits: TriggeredExit[]): BeaconBlock {
  const stateRoot = new Uint8Array(32);
  if (isMessageBusSlot(config, draft.slot)) return { ...draft, stateRoot, body: { ...body, triggeredExits: exits } };
  // Before the fork neither field is there.
  const { messageBusRoot: _, ...executionPayload } = body.executionPayload;
  return { ...draft, stateRoot, body: { ...body, executionPayload } } as BeaconBlock;
}

async function buildPayload(
  { config, payloads }: ProduceDeps,
  parentRoot: RootHex,
  preState: CachedState,
  suggestedFeeRecipient: Uint8Array,
): ReturnType<PayloadVerifier["build"]> {
  const epochMix = preState.epochCtx.epoch % preState.randaoMixes.length;
  return payloads.build(preState.latestExecutionPayloadHeader.blockHash, {
    timestamp: preState.genesisTime + Math.floor((preState.slot * config.SLOT_DURATION_MS) / 1000),
    prevRandao: preState.randaoMixes.get(epochMix),
    suggestedFeeRecipient,
    withdrawals: getExpectedWithdrawals(preState),
    parentBeaconBlockRoot: fromRootHex(parentRoot),
  });
}

/** A choice of exits that turns out invalid costs the exits, not the slot. */
function completeBlock(deps: ProduceDeps, draft: Draft, preState: CachedState) {
  const exits = chooseTriggeredExits(deps, draft, preState);
  try {
    return applyBlock(toBlock(deps.config, draft, exits), preState);
  } catch (error) {
    if (exits.length === 0) throw error;
    deps.logger.error({ slot: draft.slot, error: errorMessage(error) }, "Packed exits spoil the block: going without");
    return applyBlock(toBlock(deps.config, draft, []), preState);
  }
}

function applyBlock(block: BeaconBlock, preState: CachedState): { message: BeaconBlock; postState: CachedState } {
  const postState = preState.clone() as CachedState;
  processBlock(postState, block, { payloadStatus: "VALID", verifySignatures: false });
  postState.commit();
  const { slot, proposerIndex, parentRoot, body } = block;
  return { message: { slot, proposerIndex, parentRoot, stateRoot: postState.hashTreeRoot(), body }, postState };
}

function chooseTriggeredExits(deps: ProduceDeps, draft: Draft, preState: CachedState): TriggeredExit[] {
  if (!isMessageBusState(preState)) return [];
  const afterPayload = preState.clone() as typeof preState;
  const block = toBlock(deps.config, draft, []);
  processBlockBeforeTriggeredExits(afterPayload, block, { payloadStatus: "VALID", verifySignatures: false });
  afterPayload.commit();
  try {
    return deps.packTriggeredExits(afterPayload);
  } catch (error) {
    deps.logger.error({ slot: draft.slot, error: errorMessage(error) }, "Packing triggered exits failed");
    return [];
  }
}

/** @spec phase0/validator.md#randao-reveal */
function signRandao(config: MessageBusBeaconConfig, slot: number, secretKey: SecretKey): Uint8Array {
  const domain = config.getDomain(slot, DOMAIN_RANDAO, slot);
  return secretKey.sign(computeSigningRoot(ssz.Epoch, Math.floor(slot / SLOTS_PER_EPOCH), domain)).toBytes();
}

/** @spec phase0/validator.md#signature */
function sign(config: MessageBusBeaconConfig, message: BeaconBlock, secretKey: SecretKey): SignedBlock {
  const type = config.getPostDenebForkTypes(message.slot).BeaconBlock;
  const domain = config.getDomain(message.slot, DOMAIN_BEACON_PROPOSER, message.slot);
  const signature = secretKey.sign(computeSigningRoot(type, message, domain)).toBytes();
  return { message, signature };
}
