import { ForkSeq } from "@lodestar/params";
import { ExecutionPayloadStatus } from "@lodestar/state-transition";
import { processExecutionPayload as processFuluExecutionPayload } from "@lodestar/state-transition/block";
import { ssz } from "@lodestar/types";
import { CodedError } from "../base/errors.ts";
import type { BeaconBlockBody, ExecutionPayload, ExecutionPayloadHeader } from "../spec/types.ts";
import { asFulu, type CachedBeaconStateMessageBus } from "./beacon_state.ts";
import type { PayloadStatus } from "./execution_engine.ts";
import { processMessageBusRoot } from "./roots.ts";

/**
 * Checks the payload against the state, takes over its header, and stores its message bus root. An execution client
 * that cannot be asked (SYNCING) does not make the block invalid: it is imported optimistically.
 * Throws on an invalid payload; the state is then spoiled.
 * @spec specs/message-bus/beacon-chain.md#modified-process_execution_payload
 */
export function processExecutionPayload(
  state: CachedBeaconStateMessageBus,
  body: BeaconBlockBody,
  payloadStatus: PayloadStatus,
): void {
  assertNotInvalid(payloadStatus);
  const payload = body.executionPayload;
  // The library makes a Fulu header out of a payload, which would lose the root; a header it takes as it is.
  const blinded = {
    executionPayloadHeader: toPayloadHeader(payload),
    blobKzgCommitments: body.blobKzgCommitments,
  } as unknown as Parameters<typeof processFuluExecutionPayload>[2];
  processFuluExecutionPayload(ForkSeq.fulu, asFulu(state), blinded, {
    executionPayloadStatus: ExecutionPayloadStatus.valid,
  } as Parameters<typeof processFuluExecutionPayload>[3]);
  processMessageBusRoot(state, BigInt(payload.blockNumber), payload.messageBusRoot);
}

/** Throws a `CodedError` (`INVALID_PAYLOAD`) on what the execution client has refused. */
export function assertNotInvalid(payloadStatus: PayloadStatus): void {
  if (payloadStatus === "INVALID") {
    throw new CodedError("INVALID_PAYLOAD", "The execution client says that the payload is invalid");
  }
}

/** The header that stands for a payload in the state. */
export function toPayloadHeader(payload: ExecutionPayload): ExecutionPayloadHeader {
  const { transactions, withdrawals, ...fields } = payload;
  return {
    ...fields,
    transactionsRoot: ssz.bellatrix.Transactions.hashTreeRoot(transactions),
    withdrawalsRoot: ssz.capella.Withdrawals.hashTreeRoot(withdrawals),
  };
}
