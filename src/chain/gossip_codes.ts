/** Every way in which the validation of a gossiped block or attestation ends. */
import type { Verdict } from "../validation/verdict.ts";

/** What both can fail in: their bytes, the fork of their topic, the signature, what is known of the block. */
type SharedCode =
  | "VALID"
  | "BAD_SNAPPY"
  | "WRONG_LENGTH"
  | "BAD_SSZ"
  | "UINT64_TOO_LARGE"
  | "WRONG_FORK"
  | "BAD_SIGNATURE"
  | "INVALID_BLOCK"
  | "NOT_FINALIZED_DESCENDANT";

export type BlockCode =
  | SharedCode
  | "FUTURE_SLOT"
  | "FINALIZED_SLOT"
  | "ALREADY_KNOWN"
  | "PROPOSER_REPEATED"
  | "UNKNOWN_PROPOSER"
  | "UNKNOWN_PARENT"
  | "INVALID_PARENT"
  | "INVALID_PAYLOAD"
  | "SLOT_NOT_AFTER_PARENT"
  | "WRONG_PROPOSER"
  | "WRONG_TIMESTAMP"
  | "TOO_MANY_BLOBS"
  | "STATE_UNAVAILABLE"
  | "QUEUE_FULL";
export type BlockVerdict = Verdict<BlockCode>;

export type AttestationCode =
  | SharedCode
  | "NONZERO_INDEX"
  | "WRONG_TARGET_EPOCH"
  | "SLOT_OUT_OF_RANGE"
  | "ALREADY_SEEN"
  | "UNKNOWN_BLOCK"
  | "BLOCK_AFTER_SLOT"
  | "BLOCK_TOO_OLD"
  | "WRONG_TARGET"
  | "UNKNOWN_COMMITTEE"
  | "WRONG_SUBNET"
  | "NOT_IN_COMMITTEE";
export type AttestationVerdict = Verdict<AttestationCode>;
