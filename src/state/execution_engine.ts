/**
 * What the consensus layer asks of an execution client: the Engine API's four verbs in its own terms, and two reads
 * of the message bus contract. A second implementation (a geth over the Engine API) fits behind the same interface.
 */
import type { capella, electra } from "@lodestar/types";
import type { ExecutionPayload } from "../spec/types.ts";

/** Engine API `PayloadStatusV1.status`; SYNCING also stands for an execution client that cannot be asked. */
export type PayloadStatus = "VALID" | "INVALID" | "SYNCING";

export interface PayloadVerdict {
  readonly status: PayloadStatus;
  /** Why, for the log; empty when VALID. */
  readonly reason: string;
}

export interface PayloadAttributes {
  /** Unix seconds: the slot's start. */
  readonly timestamp: number;
  /** 32 bytes, from the consensus layer's RANDAO. */
  readonly prevRandao: Uint8Array;
  /** 20 bytes. */
  readonly suggestedFeeRecipient: Uint8Array;
  readonly withdrawals: capella.Withdrawals;
  /** 32 bytes. */
  readonly parentBeaconBlockRoot: Uint8Array;
}

export interface BuiltPayload {
  readonly payload: ExecutionPayload;
  readonly executionRequests: electra.ExecutionRequests;
}

/** One `MessageSent` log of one execution block. */
export interface MessageSent {
  /** Position in the contract's tree, from 0. */
  readonly index: bigint;
  /** The uint256. */
  readonly messageType: bigint;
  /** 20 bytes. */
  readonly sender: Uint8Array;
  readonly payload: Uint8Array;
  /** 32 bytes. */
  readonly transactionHash: Uint8Array;
}

/** Every call may throw a `CodedError` with code `EL_UNAVAILABLE` (away, slow, nonsense): try again later. */
export interface ExecutionEngine {
  /**
   * Builds the block that follows `parentHash` (32 bytes), `messageBusRoot` as the contract has it after that block.
   *
   * @throws CodedError `PARENT_NOT_FOUND`: the execution client does not know the parent, or no more.
   */
  buildPayload(parentHash: Uint8Array, attributes: PayloadAttributes): Promise<BuiltPayload>;
  /**
   * Whether the payload is this execution client's block, and its root the contract's at that very block.
   * @spec specs/message-bus/beacon-chain.md#modified-verify_and_notify_new_payload
   */
  notifyNewPayload(payload: ExecutionPayload, parentBeaconBlockRoot: Uint8Array): Promise<PayloadVerdict>;
  /** Hashes are 32 bytes; all zero where there is none yet. */
  notifyForkchoiceUpdated(headHash: Uint8Array, safeHash: Uint8Array, finalizedHash: Uint8Array): Promise<void>;
  /**
   * `getMessageRoot()` evaluated at that block: 32 bytes, all zero while no contract is deployed.
   * @spec specs/message-bus/beacon-chain.md#get_message_bus_root
   */
  getMessageRoot(blockHash: Uint8Array): Promise<Uint8Array>;
  /** `getMessageCount()` evaluated at that block. */
  getMessageCount(blockHash: Uint8Array): Promise<bigint>;
  /** The contract's messages in that block, in order of index. */
  getMessages(blockHash: Uint8Array): Promise<MessageSent[]>;
}
