/** Runs a vector tree: each preset in a worker process, side by side. */
import type { Clock } from "../../base/clock.ts";
import { MESSAGE_BUS_FORK_NAME } from "../../spec/constants.ts";
import type { Difference } from "./outcome.ts";
import { PresetWorker } from "./preset_worker.ts";
import { type CaseId, listVectors } from "./tree.ts";

export type CaseResult = {
  /** Relative to the tree, or the tree itself where that is at fault. */
  path: string;
  /** `runner/handler`; of a directory that is at fault, as much of it as its path has. */
  group: string;
  status: "passed" | "failed" | "skipped";
  /** Why failed or skipped. */
  reason: string;
  differences: Difference[];
};

export type RunOptions = {
  root: string;
  /** Only paths that hold this text. */
  filter?: string;
  onResult?: (result: CaseResult, total: number) => void;
};

/** Processes at a time: one a preset. `general` holds what depends on none. */
const WORKER_PRESETS: Readonly<Record<string, readonly string[]>> = {
  mainnet: ["mainnet"],
  minimal: ["minimal", "general"],
};

/** All results, in order of their paths. Never rejects for what is in the tree. */
export async function runVectors({ root, filter, onResult }: RunOptions, clock: Clock): Promise<CaseResult[]> {
  const tree = listVectors(root, filter);
  const total = tree.cases.length + tree.defects.length;
  const results: CaseResult[] = [];
  const add = (result: CaseResult) => {
    results.push(result);
    onResult?.(result, total);
  };

  for (const { path, reason } of tree.defects) {
    add({ path, group: groupOf(path), status: "failed", reason, differences: [] });
  }
  const known = tree.cases.filter((id) => {
    const reason = whyUnknown(id);
    if (reason !== null) add(skippedCase(id, reason));
    return reason === null;
  });
  await Promise.all(
    Object.entries(WORKER_PRESETS).map(async ([preset, directories]) => {
      const worker = new PresetWorker(preset, clock);
      try {
        for (const id of known.filter((id) => directories.includes(id.preset))) {
          const outcome = await worker.run(tree.root, id);
          if (outcome === null) add(skippedCase(id, `no handler for ${groupOf(id.path)}`));
          else if (outcome.passed) add({ ...caseOf(id), status: "passed", reason: "", differences: [] });
          else add({ ...caseOf(id), status: "failed", reason: outcome.reason, differences: outcome.differences });
        }
      } finally {
        worker.stop();
      }
    }),
  );
  return results.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function whyUnknown({ preset, fork }: CaseId): string | null {
  if (!Object.values(WORKER_PRESETS).flat().includes(preset)) return `unknown preset ${preset}`;
  return fork === MESSAGE_BUS_FORK_NAME ? null : `unknown fork ${fork}`;
}

function skippedCase(id: CaseId, reason: string): CaseResult {
  return { ...caseOf(id), status: "skipped", reason, differences: [] };
}

function caseOf(id: CaseId): Pick<CaseResult, "path" | "group"> {
  return { path: id.path, group: `${id.runner}/${id.handler}` };
}

function groupOf(path: string): string {
  return path.split("/").slice(2, 4).join("/") || "(tree)";
}
