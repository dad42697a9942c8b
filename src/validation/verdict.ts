/** What a check of a gossip message ends in. Verdicts are values: only bugs and I/O throw. */

/** Where an operation came from; `journal`: from this node's pool before it was restarted. */
export type OperationSource = "gossip" | "execution" | "api" | "journal";

/** As gossipsub means them: forward; drop in silence; drop and count against the sender. */
export type VerdictResult = "accept" | "ignore" | "reject";

export interface Verdict<Code extends string = string> {
  readonly result: VerdictResult;
  /** A closed, stable code: it stands in logs, metrics, API answers and vectors. */
  readonly code: Code;
}

/**
 * Every way in which a triggered exit's validation ends; `docs/verdicts.md` has a row for each.
 * `INTERNAL_ERROR` is a bug of ours, counted and ignored: no peer pays for it.
 */
export const TRIGGERED_EXIT_CODES = [
  "VALID",
  "BAD_SNAPPY",
  "WRONG_LENGTH",
  "NOT_SYNCED",
  "ALREADY_SEEN",
  "BAD_COUNT",
  "INDEX_OUT_OF_RANGE",
  "UNKNOWN_VALIDATOR",
  "NO_EXECUTION_ADDRESS",
  "WRONG_SENDER",
  "EXIT_INITIATED",
  "TOO_YOUNG",
  "PENDING_WITHDRAWAL",
  "FORGED_PROOF",
  "ROOT_EXPIRED",
  "UNKNOWN_ROOT",
  "ROOT_EXPIRING",
  "INTERNAL_ERROR",
] as const;
export type TriggeredExitCode = (typeof TRIGGERED_EXIT_CODES)[number];
export type TriggeredExitVerdict = Verdict<TriggeredExitCode>;
