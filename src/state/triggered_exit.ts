/** The triggered exit as a block operation, and the rules that blocks, packing and gossip share. */
import { FAR_FUTURE_EPOCH, ForkSeq } from "@lodestar/params";
import { getPendingBalanceToWithdraw } from "@lodestar/state-transition";
import { initiateValidatorExit } from "@lodestar/state-transition/block";
import { CodedError } from "../base/errors.ts";
import { getTriggeredExitLeaf } from "../spec/message_leaf.ts";
import type { TriggeredExit } from "../spec/types.ts";
import { asFulu, type CachedBeaconStateMessageBus } from "./beacon_state.ts";
import { isValidMessageBusProof, readClaimedCount } from "./proof.ts";
import { getStoredRoots } from "./roots.ts";
import type { ValidatorRecord } from "./view.ts";

/** Withdrawal prefixes whose last 20 bytes are an execution address. */
const ETH1_ADDRESS_WITHDRAWAL_PREFIX = 0x01;
const COMPOUNDING_WITHDRAWAL_PREFIX = 0x02;
const ADDRESS_OFFSET = 12;
const ADDRESS_SIZE_BYTES = 20;

/** @spec electra/beacon-chain#new-has_execution_withdrawal_credential */
export function hasExecutionWithdrawalCredential({ withdrawalCredentials }: ValidatorRecord): boolean {
  const prefix = withdrawalCredentials[0];
  return prefix === ETH1_ADDRESS_WITHDRAWAL_PREFIX || prefix === COMPOUNDING_WITHDRAWAL_PREFIX;
}

/**
 * Whether the 20-byte sender is the credentials' last 20 bytes. The sender is no credential and is not sliced.
 * @spec specs/message-bus/beacon-chain.md#is_withdrawal_address
 */
export function isWithdrawalAddress({ withdrawalCredentials }: ValidatorRecord, sender: Uint8Array): boolean {
  for (let i = 0; i < ADDRESS_SIZE_BYTES; i++) {
    if (withdrawalCredentials[ADDRESS_OFFSET + i] !== sender[i]) return false;
  }
  return true;
}

export function isExitInitiated({ exitEpoch }: ValidatorRecord): boolean {
  return exitEpoch !== FAR_FUTURE_EPOCH;
}

/**
 * The first epoch in which the validator has been active long enough to exit; `Infinity` while it has no activation epoch.
 * @spec specs/message-bus/p2p-interface.md#get_seasoned_epoch
 */
export function getSeasonedEpoch({ activationEpoch }: ValidatorRecord, shardCommitteePeriodEpochs: number): number {
  return activationEpoch + shardCommitteePeriodEpochs;
}

/** @spec phase0/beacon-chain#is_active_validator */
function isActiveValidator({ activationEpoch, exitEpoch }: ValidatorRecord, epoch: number): boolean {
  return activationEpoch <= epoch && epoch < exitEpoch;
}

/** Why a block may not hold the operation; named as gossip names the same failures. */
export type TriggeredExitFault =
  | "BAD_COUNT"
  | "INDEX_OUT_OF_RANGE"
  | "UNKNOWN_ROOT"
  | "UNKNOWN_VALIDATOR"
  | "NO_EXECUTION_ADDRESS"
  | "WRONG_SENDER"
  | "NOT_ACTIVE"
  | "EXIT_INITIATED"
  | "TOO_YOUNG"
  | "PENDING_WITHDRAWAL";

export type TriggeredExitValidity =
  | { readonly code: "VALID"; readonly validatorIndex: number }
  | { readonly code: TriggeredExitFault };

/**
 * Whether `state` (its payload processed) may process the operation; what is asserted of a block, in its order.
 * Reads the state only.
 * @spec specs/message-bus/beacon-chain.md#process_triggered_exit
 */
export function getTriggeredExitValidity(
  state: CachedBeaconStateMessageBus,
  operation: TriggeredExit,
): TriggeredExitValidity {
  const { proof, messageSender, messageIndex } = operation.messageBusSignal;
  const { pubkey } = operation.data;

  // The last sibling is a message count, and the message is one of the counted.
  const count = readClaimedCount(proof.at(-1) as Uint8Array);
  if (count === null) return { code: "BAD_COUNT" };
  if (messageIndex >= count) return { code: "INDEX_OUT_OF_RANGE" };

  // The contract holds the message that this operation carries.
  const leaf = getTriggeredExitLeaf(messageSender, pubkey);
  if (!isValidMessageBusProof(getStoredRoots(state), leaf, proof, messageIndex)) return { code: "UNKNOWN_ROOT" };

  // The pubkey is in the registry; the cache is shared with other forks of the chain, which may know more.
  const validatorIndex = state.epochCtx.pubkeyCache.getIndex(pubkey);
  if (validatorIndex === null || validatorIndex >= state.validators.length) return { code: "UNKNOWN_VALIDATOR" };
  const validator = state.validators.getReadonly(validatorIndex);

  // The withdrawal address sent the message.
  if (!hasExecutionWithdrawalCredential(validator)) return { code: "NO_EXECUTION_ADDRESS" };
  if (!isWithdrawalAddress(validator, messageSender)) return { code: "WRONG_SENDER" };

  // As for a voluntary exit: active, not exiting, active for long enough, no partial withdrawal pending.
  const { epoch } = state.epochCtx;
  if (!isActiveValidator(validator, epoch)) return { code: "NOT_ACTIVE" };
  if (isExitInitiated(validator)) return { code: "EXIT_INITIATED" };
  if (epoch < getSeasonedEpoch(validator, state.config.SHARD_COMMITTEE_PERIOD)) return { code: "TOO_YOUNG" };
  if (getPendingBalanceToWithdraw(asFulu(state), validatorIndex) !== 0) return { code: "PENDING_WITHDRAWAL" };

  return { code: "VALID", validatorIndex };
}

/**
 * Initiates the exit, or throws a `CodedError` with the fault's code and leaves the state as it was.
 * @spec specs/message-bus/beacon-chain.md#process_triggered_exit
 */
export function processTriggeredExit(state: CachedBeaconStateMessageBus, operation: TriggeredExit): void {
  const validity = getTriggeredExitValidity(state, operation);
  if (validity.code !== "VALID") {
    throw new CodedError(validity.code, `The block's triggered exit is invalid: ${validity.code}`);
  }
  const fulu = asFulu(state);
  initiateValidatorExit(ForkSeq.fulu, fulu, fulu.validators.get(validity.validatorIndex));
}
