/** What validation may read of a state: a value, taken once from a head or finalized state, never written. */
import type { Node } from "@chainsafe/persistent-merkle-tree";
import { BeaconState } from "../spec/types.ts";
import { type CachedState, isMessageBusState } from "./beacon_state.ts";
import { getVerifiedRoots, RootsIndex, type RootsView } from "./roots.ts";

/** The fields of a validator that the rules look at; epochs are exact, `FAR_FUTURE_EPOCH` is `Infinity`. */
export interface ValidatorRecord {
  /** 32 bytes. */
  readonly withdrawalCredentials: Uint8Array;
  readonly activationEpoch: number;
  readonly exitEpoch: number;
}

export interface StateView {
  readonly slot: number;
  readonly epoch: number;
  /** Index of a 48-byte pubkey in this state's own registry, or null. */
  getValidatorIndex(pubkey: Uint8Array): number | null;
  getValidator(index: number): ValidatorRecord | null;
  hasPendingWithdrawal(index: number): boolean;
  readonly roots: RootsView;
}

const NO_BLOCKS: ReadonlySet<number> = new Set();

const { validators: Validators, pendingPartialWithdrawals: PendingPartialWithdrawals } = BeaconState.fields;

/**
 * Takes the view of a state. Cheap: the registry's tree is shared, pending withdrawals are gathered when first asked
 * for. A state before the message-bus fork has no roots.
 *
 * @param unverifiedBlockNumbers of the payloads on this state's branch whose roots must not count: imported
 *   optimistically, neither verified since nor passed by finality.
 */
export function createStateView(
  state: CachedState,
  unverifiedBlockNumbers: ReadonlySet<number> = NO_BLOCKS,
): StateView {
  state.commit();
  const { pubkeyCache, epoch } = state.epochCtx;
  // A list that is read through the state shares its node cache with the state's clones, which write to it.
  const validators = Validators.getViewDU(state.validators.node);
  const pendingNode = state.pendingPartialWithdrawals.node;
  let pendingWithdrawals: Set<number> | null = null;
  return {
    slot: state.slot,
    epoch,
    roots: isMessageBusState(state) ? getVerifiedRoots(state, unverifiedBlockNumbers) : RootsIndex.empty,
    getValidatorIndex(pubkey) {
      // The cache is shared with later states and other forks, whose registries may be longer.
      const index = pubkeyCache.getIndex(pubkey);
      return index !== null && index < validators.length ? index : null;
    },
    getValidator: (index) => (index < validators.length ? validators.getReadonly(index) : null),
    hasPendingWithdrawal(index) {
      pendingWithdrawals ??= gatherPendingWithdrawals(pendingNode);
      return pendingWithdrawals.has(index);
    },
  };
}

/** Validators for which `get_pending_balance_to_withdraw` is not zero. */
function gatherPendingWithdrawals(pendingPartialWithdrawals: Node): Set<number> {
  const indices = new Set<number>();
  for (const { validatorIndex, amount } of PendingPartialWithdrawals.getViewDU(
    pendingPartialWithdrawals,
  ).getAllReadonly()) {
    if (amount > 0n) indices.add(validatorIndex);
  }
  return indices;
}
