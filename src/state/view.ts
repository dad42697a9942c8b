/** What validation may read of a state: a value, taken once from a head or finalized state, never written. */

/** The fields of a validator that the rules look at; epochs are exact, `FAR_FUTURE_EPOCH` is `Infinity`. */
export interface ValidatorRecord {
  /** 32 bytes. */
  readonly withdrawalCredentials: Uint8Array;
  readonly activationEpoch: number;
  readonly exitEpoch: number;
}

/** The stored message bus roots of one state: each root counted by the slots of the vector it stands in. */
export interface RootsView {
  /** Whether the 32-byte root is stored and backed by a verified payload; an all-zero root never is. */
  has(root: Uint8Array): boolean;
  /**
   * How many further payloads leave the root standing in at least one slot: 0 means that the very next payload
   * evicts it, and a root that is not stored has -1. A root is lasting while this is ≥ GOSSIP_ROOT_MARGIN.
   */
  payloadsUntilEvicted(root: Uint8Array): number;
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
