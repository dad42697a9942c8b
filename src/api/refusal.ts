/** Why the API refuses a triggered exit, and what its sender can do, for each code that a verdict can have. */
import type { TriggeredExitCode } from "../validation/verdict.ts";

export const REFUSALS: Readonly<Record<TriggeredExitCode, string>> = {
  VALID: "nothing is wrong with it",
  BAD_SNAPPY: "its data does not decompress",
  WRONG_LENGTH: "its data has not the length of a TriggeredExit",
  NOT_SYNCED: "this node is syncing: send it again later, or to another node",
  ALREADY_SEEN: "another valid exit of this validator is known and still usable: none more is needed",
  BAD_COUNT: "the last sibling of the proof is no message count (uint64 little-endian, at least 1, 24 zero bytes)",
  INDEX_OUT_OF_RANGE: "message_index is not below the count in the last sibling of the proof",
  UNKNOWN_VALIDATOR: "no validator has this pubkey",
  NO_EXECUTION_ADDRESS: "the validator's withdrawal credentials hold no execution address (0x01 or 0x02)",
  WRONG_SENDER: "message_sender is not the address in the validator's withdrawal credentials",
  EXIT_INITIATED: "the validator is exiting already",
  TOO_YOUNG: "the validator has not been active for SHARD_COMMITTEE_PERIOD epochs: send it again later",
  PENDING_WITHDRAWAL: "a partial withdrawal of the validator is pending: send it again when that has been paid",
  FORGED_PROOF: "the contract has no such message at this index",
  ROOT_EXPIRED: "the root that it proves against is no longer stored: prove the message against a newer one",
  UNKNOWN_ROOT:
    "the root that it proves against is not stored, and too many exits wait for theirs: send it again later",
  ROOT_EXPIRING: "the root that it proves against is about to be overwritten: prove the message against a newer one",
  INTERNAL_ERROR: "the check failed in this node, its log says why",
};
