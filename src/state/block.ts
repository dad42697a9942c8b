import { ForkSeq } from "@lodestar/params";
import { DataAvailabilityStatus, ExecutionPayloadStatus } from "@lodestar/state-transition";
import {
  processBlockHeader,
  processConsolidationRequest,
  processDepositRequest,
  processEth1Data,
  processBlock as processFuluBlock,
  processOperations as processFuluOperations,
  processRandao,
  processSyncAggregate,
  processWithdrawalRequest,
  processWithdrawals,
} from "@lodestar/state-transition/block";
import { type fulu, ssz } from "@lodestar/types";
import type { BeaconBlock } from "../spec/types.ts";
import { asFulu, type CachedBeaconStateMessageBus, type CachedState, isMessageBusState } from "./beacon_state.ts";
import type { PayloadStatus } from "./execution_engine.ts";
import { assertNotInvalid, processExecutionPayload } from "./execution_payload.ts";
import { processTriggeredExit } from "./triggered_exit.ts";

/** A block of either side of the fork. */
export type AnyBeaconBlock = BeaconBlock | fulu.BeaconBlock;

export type ProcessBlockOptions = {
  /** What the execution client says of the payload; SYNCING imports optimistically. */
  payloadStatus: PayloadStatus;
  /** Check each signature on its own; false where they have been checked in a batch, or are not made yet. */
  verifySignatures: boolean;
};

/**
 * Applies a block to a state of its slot, in place. Throws on an invalid block; the state is then spoiled.
 * @spec specs/message-bus/beacon-chain.md#block-processing
 * @spec specs/message-bus/beacon-chain.md#modified-process_operations
 */
export function processBlock(state: CachedState, block: AnyBeaconBlock, options: ProcessBlockOptions): void {
  if (!isMessageBusState(state)) {
    assertNotInvalid(options.payloadStatus);
    processFuluBlock(ForkSeq.fulu, asFulu(state), block as fulu.BeaconBlock, FULU_EXTERNAL_DATA, options);
    return;
  }
  const ourBlock = block as BeaconBlock;
  processBlockBeforeTriggeredExits(state, ourBlock, options);
  for (const triggeredExit of ourBlock.body.triggeredExits) processTriggeredExit(state, triggeredExit);
  processExecutionRequests(state, ourBlock);
  processSyncAggregate(asFulu(state), ourBlock, options.verifySignatures);
}

/**
 * The part of `processBlock` that comes before the block's triggered exits, whatever those are: leaves the state that
 * they are judged and packed against.
 * @spec specs/message-bus/beacon-chain.md#block-processing
 */
export function processBlockBeforeTriggeredExits(
  state: CachedBeaconStateMessageBus,
  block: BeaconBlock,
  { payloadStatus, verifySignatures }: ProcessBlockOptions,
): void {
  const fuluState = asFulu(state);
  processBlockHeader(fuluState, block);
  processWithdrawals(ForkSeq.fulu, fuluState, block.body.executionPayload);
  processExecutionPayload(state, block.body, payloadStatus);
  processRandao(fuluState, block, verifySignatures);
  processEth1Data(fuluState, block.body.eth1Data);
  // Execution requests come after triggered exits, so the library's last step gets none here.
  const operations = { ...block.body, executionRequests: ssz.electra.ExecutionRequests.defaultValue() };
  processFuluOperations(ForkSeq.fulu, fuluState, operations, null, { verifySignatures });
}

/** @spec electra/beacon-chain.md#modified-process_operations */
function processExecutionRequests(state: CachedBeaconStateMessageBus, block: BeaconBlock): void {
  const fuluState = asFulu(state);
  const { deposits, withdrawals, consolidations } = block.body.executionRequests;
  for (const request of deposits) processDepositRequest(ForkSeq.fulu, fuluState, request);
  for (const request of withdrawals) processWithdrawalRequest(ForkSeq.fulu, fuluState, request);
  for (const request of consolidations) processConsolidationRequest(fuluState, request);
}

/** The payload's status is checked before; this network's blocks carry no blobs. */
const FULU_EXTERNAL_DATA = {
  executionPayloadStatus: ExecutionPayloadStatus.valid,
  dataAvailabilityStatus: DataAvailabilityStatus.Available,
};
