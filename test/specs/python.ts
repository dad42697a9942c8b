/** Runs the documents' Python by `spec_runner.py`, in one child process for all cases given. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { readDocument, readPythonBlocks, SPEC_DOCUMENTS } from "./markdown.ts";

export const PYTHON_MISSING = "python3 is not installed: the specification's Python was not run";

export type SpecCase = { readonly runner: "contract" | "proof" | "exits" | "gossip"; readonly data: unknown };

export interface SpecAnswer {
  readonly blocks: { readonly count: number; readonly errors: readonly string[] };
  readonly constants: Readonly<Record<string, number | string>>;
  readonly results: readonly unknown[];
}

/** More than the cases of all minimal vectors take on a slow machine. */
const PYTHON_TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/**
 * @param constants Python expressions by name, evaluated in order before the cases run.
 * @returns null where there is no python3.
 */
export function runSpec(constants: Record<string, string>, cases: readonly SpecCase[]): SpecAnswer | null {
  const documents = Object.fromEntries(SPEC_DOCUMENTS.map((path) => [path, readPythonBlocks(readDocument(path))]));
  const child = spawnSync("python3", [fileURLToPath(new URL("spec_runner.py", import.meta.url))], {
    input: JSON.stringify({ documents, constants, cases }),
    encoding: "utf8",
    timeout: PYTHON_TIMEOUT_MS,
    maxBuffer: MAX_ANSWER_BYTES,
  });
  if (child.error !== undefined && "code" in child.error && child.error.code === "ENOENT") return null;
  if (child.error !== undefined) throw child.error;
  if (child.status !== 0) throw new Error(`the specification's Python failed:\n${child.stderr}`);
  return JSON.parse(child.stdout) as SpecAnswer;
}
