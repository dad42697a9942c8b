/** Runs cases of one preset in a process of its own: presets are chosen at import, and a crash ends one case only. */
import { join } from "node:path";
import { CaseDir } from "./case_dir.ts";
import { type CaseOutcome, failed } from "./outcome.ts";
import { findHandler } from "./registry.ts";
import type { CaseId } from "./tree.ts";

export type WorkerRequest = { root: string; id: CaseId };
/** Null when no handler is known for the case. */
export type WorkerAnswer = { outcome: CaseOutcome | null };

function runCase({ root, id }: WorkerRequest): CaseOutcome | null {
  const handler = findHandler(id.runner, id.handler);
  if (handler === null) return null;
  try {
    const dir = new CaseDir(join(root, id.path), id);
    const outcome = handler(dir);
    const unread = dir.unreadFiles();
    if (!outcome.passed || unread.length === 0) return outcome;
    return failed(`holds what ${id.runner}/${id.handler} does not read: ${unread.join(", ")}`);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

process.on("message", (request: WorkerRequest) => {
  process.send?.({ outcome: runCase(request) } satisfies WorkerAnswer);
});
// The parent is gone: nobody waits for an answer.
process.on("disconnect", () => process.exit());
