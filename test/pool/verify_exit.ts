import { TriggeredExit } from "../../src/spec/types.ts";
import { getVerifiedRoots } from "../../src/state/roots.ts";
import { judgeSerializedTriggeredExit, type VerifiedTriggeredExit } from "../../src/validation/triggered_exit.ts";
import type { ExitScenario } from "../state/exit_scenario.ts";

/** The stamp that a validator gives, on a head whose stored roots all last. */
export function verifyExit(scenario: ExitScenario, exit: TriggeredExit): VerifiedTriggeredExit {
  const context = scenario.context();
  const stored = getVerifiedRoots(scenario.head, new Set());
  const roots = {
    latestBlockNumber: stored.latestBlockNumber,
    has: (root: Uint8Array) => stored.has(root),
    payloadsUntilEvicted: (root: Uint8Array) => (stored.has(root) ? Number.POSITIVE_INFINITY : -1),
  };
  const outcome = judgeSerializedTriggeredExit(TriggeredExit.serialize(exit), {
    ...context,
    head: { ...context.head, roots },
  });
  if (outcome.operation === null) throw new Error(`not a valid exit: ${outcome.verdict.code}`);
  return outcome.operation;
}
