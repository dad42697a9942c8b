/** The state transition across the fork: Fulu's rules before it, ours after. */
import { ForkSeq, SLOTS_PER_EPOCH } from "@lodestar/params";
import {
  getExpectedWithdrawals as getFuluExpectedWithdrawals,
  processSlots as processFuluSlots,
} from "@lodestar/state-transition";
import type { capella } from "@lodestar/types";
import { byteArrayEquals, toHex } from "@lodestar/utils";
import { CodedError } from "../base/errors.ts";
import { asFulu, type CachedState, fromFulu, isMessageBusState } from "./beacon_state.ts";
import { type ProcessBlockOptions, processBlock } from "./block.ts";
import {
  type AnySignedBeaconBlock,
  getBlockSignatureSetsOf,
  getProposerSignatureSet,
  verifySignatureSets,
} from "./signatures.ts";
import { upgradeCachedState } from "./upgrade.ts";

export type { CachedState } from "./beacon_state.ts";
export { type AnyBeaconBlock, processBlock, processBlockBeforeTriggeredExits } from "./block.ts";
export { type AnySignedBeaconBlock, getBlockSignatureSetsOf } from "./signatures.ts";

export type TransitionOptions = ProcessBlockOptions & {
  /** The proposer's signature; it is checked in the same batch as the others where both are asked for. */
  verifyProposer: boolean;
  verifyStateRoot: boolean;
};

/**
 * The state at a later or the same slot, upgraded where the fork lies between. `state` is left as it was.
 * Throws a `CodedError` (`SLOT_TOO_OLD`).
 * @spec specs/message-bus/fork.md#upgrading-the-state
 */
export function processSlots(state: CachedState, slot: number): CachedState {
  if (slot < state.slot) {
    throw new CodedError("SLOT_TOO_OLD", `Slot ${slot} is before the state's, ${state.slot}`, {
      slot,
      stateSlot: state.slot,
    });
  }
  const forkSlot = state.config.MESSAGE_BUS_FORK_EPOCH * SLOTS_PER_EPOCH;
  if (isMessageBusState(state) || slot < forkSlot) return fromFulu(processFuluSlots(asFulu(state), slot));
  const upgraded = upgradeCachedState(fromFulu(processFuluSlots(asFulu(state), forkSlot)));
  return slot === forkSlot ? upgraded : fromFulu(processFuluSlots(asFulu(upgraded), slot));
}

/**
 * The state after a block. `preState` is left as it was. Signatures are checked in one batch. The caller has checked that
 * the block's slot is no later than the clock's: each slot up to it costs a state root.
 * Throws on an invalid block: a `CodedError` (`INVALID_SIGNATURE`, `INVALID_STATE_ROOT`, `INVALID_PAYLOAD`, and those of
 * `processTriggeredExit`) or the library's own error.
 * @spec phase0/beacon-chain.md#beacon-chain-state-transition-function
 */
export function stateTransition(
  preState: CachedState,
  signedBlock: AnySignedBeaconBlock,
  { verifyProposer, verifySignatures, verifyStateRoot, payloadStatus }: TransitionOptions,
): CachedState {
  const block = signedBlock.message;
  const state = processSlots(preState, block.slot);
  verifyBlockSignatures(state, signedBlock, { verifyProposer, verifySignatures });
  processBlock(state, block, { payloadStatus, verifySignatures: false });
  state.commit();
  if (verifyStateRoot) {
    const stateRoot = state.hashTreeRoot();
    if (!byteArrayEquals(block.stateRoot, stateRoot)) {
      throw new CodedError(
        "INVALID_STATE_ROOT",
        `The block at slot ${block.slot} claims the state root ${toHex(block.stateRoot)}, computed is ${toHex(stateRoot)}`,
        { slot: block.slot },
      );
    }
  }
  return state;
}

function verifyBlockSignatures(
  state: CachedState,
  signedBlock: AnySignedBeaconBlock,
  { verifyProposer, verifySignatures }: Pick<TransitionOptions, "verifyProposer" | "verifySignatures">,
): void {
  const { slot, proposerIndex } = signedBlock.message;
  if (proposerIndex >= state.validators.length) {
    throw new CodedError("INVALID_SIGNATURE", `The block at slot ${slot} names a proposer that does not exist`, {
      slot,
    });
  }
  const sets = verifySignatures ? getBlockSignatureSetsOf(state, signedBlock, { withProposer: verifyProposer }) : [];
  if (!verifySignatures && verifyProposer) sets.push(getProposerSignatureSet(state, signedBlock));
  if (!verifySignatureSets(sets, state.epochCtx.pubkeyCache)) {
    throw new CodedError("INVALID_SIGNATURE", `A signature of the block at slot ${slot} is wrong`, { slot });
  }
}

/**
 * The withdrawals that the payload of a block in the state's slot must hold.
 * @spec electra/beacon-chain.md#modified-get_expected_withdrawals
 */
export function getExpectedWithdrawals(state: CachedState): capella.Withdrawals {
  return getFuluExpectedWithdrawals(ForkSeq.fulu, asFulu(state)).expectedWithdrawals;
}
