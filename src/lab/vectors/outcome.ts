/** What a case ends in, and how runner modules say so. */
import type { CaseDir } from "./case_dir.ts";

/** A field that is not what the vector says; the path in the specification's names, values as the Beacon API's JSON. */
export type Difference = { path: string; expected: string; actual: string };

export type CaseOutcome = { passed: true } | { passed: false; reason: string; differences: Difference[] };

/** Runs one case. May throw: the case has then failed, and the error's message says why. */
export type CaseHandler = (dir: CaseDir) => CaseOutcome;

/** One runner's handlers by name. */
export type Runner = { handlers: Readonly<Record<string, CaseHandler>> };

export const PASSED: CaseOutcome = { passed: true };

export function failed(reason: string, differences: Difference[] = []): CaseOutcome {
  return { passed: false, reason, differences };
}

/** Passes when nothing differs. */
export function judge(differences: Difference[]): CaseOutcome {
  return differences.length === 0 ? PASSED : failed("the result differs", differences);
}

/** Differences that are reported of a case: enough to see the pattern, little enough to read. */
const MAX_DIFFERENCES = 10;

/** Compares JSON-like values: strings, booleans, lists, maps. */
export function differencesOf(expected: unknown, actual: unknown, path = ""): Difference[] {
  const found: Difference[] = [];
  collect(expected, actual, path, found);
  return found;
}

function collect(expected: unknown, actual: unknown, path: string, found: Difference[]): void {
  if (found.length >= MAX_DIFFERENCES || Object.is(expected, actual) || isSameHex(expected, actual)) return;
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) {
      found.push({ path: `${path}.length`, expected: String(expected.length), actual: String(actual.length) });
    }
    for (let i = 0; i < Math.min(expected.length, actual.length); i++) {
      collect(expected[i], actual[i], `${path}[${i}]`, found);
    }
  } else if (isMap(expected) && isMap(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      collect(expected[key], actual[key], path === "" ? key : `${path}.${key}`, found);
    }
  } else {
    found.push({ path: path || "value", expected: show(expected), actual: show(actual) });
  }
}

/** Addresses are written in EIP-55's mixed case by some, in lower case by others. */
function isSameHex(a: unknown, b: unknown): boolean {
  return typeof a === "string" && typeof b === "string" && a.startsWith("0x") && a.toLowerCase() === b.toLowerCase();
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "absent");
}
