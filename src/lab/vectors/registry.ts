/** The runners that this program knows, by the names that vector trees use. */
import { fork } from "./fork.ts";
import { networking } from "./networking.ts";
import { operations } from "./operations.ts";
import type { CaseHandler, Runner } from "./outcome.ts";
import { proof } from "./proof.ts";
import { sanity } from "./sanity.ts";
import { sszStatic } from "./ssz_static.ts";

const RUNNERS: Readonly<Record<string, Runner>> = {
  fork,
  networking,
  operations,
  proof,
  sanity,
  ssz_static: sszStatic,
};

/** Null for a runner or handler that is not known: its cases are counted as skipped. */
export function findHandler(runner: string, handler: string): CaseHandler | null {
  return lookUp(lookUp(RUNNERS, runner)?.handlers ?? {}, handler);
}

/** Own keys only: a directory may have any name. */
function lookUp<T>(record: Readonly<Record<string, T>>, key: string): T | null {
  return Object.hasOwn(record, key) ? (record[key] ?? null) : null;
}
