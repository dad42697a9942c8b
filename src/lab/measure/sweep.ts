/** A matrix of runs, from a YAML or JSON file. */
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { CodedError, errorMessage } from "../../base/errors.ts";

import { METRICS } from "./metrics.ts";
import type { Summary } from "./summary.ts";

/** Values as on the command line. */
const Value = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const SweepFile = z.strictObject({
  /** Of all runs. */
  base: z.record(z.string(), Value).default({}),
  /** Each combination is run. */
  matrix: z
    .record(z.string(), z.array(Value).min(1))
    .refine((matrix) => Object.keys(matrix).length > 0, "it varies nothing"),
});

/** A typo must not run for a year. */
export const MAX_COMBINATIONS = 1_000;

export interface Combination {
  /** What sets it apart, as a directory's name. */
  readonly name: string;
  /** Options without their dashes, and their values. */
  readonly options: Readonly<Record<string, string>>;
}

/** Throws a `CodedError`: `SWEEP_UNREADABLE`, `SWEEP_INVALID`. */
export async function readSweep(file: string): Promise<Combination[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new CodedError("SWEEP_UNREADABLE", `Cannot read ${file}: ${errorMessage(error)}`, { file }, error);
  }
  return parseSweep(text, file);
}

export function parseSweep(text: string, file: string): Combination[] {
  const invalid = (problem: string) =>
    new CodedError("SWEEP_INVALID", `${file}: ${problem}; write base: {nodes: 20} and matrix: {degree: [8, 16]}`, {
      file,
    });
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw invalid(`it is no YAML: ${errorMessage(error)}`);
  }
  const parsed = SweepFile.safeParse(value);
  if (!parsed.success) throw invalid(`${parsed.error.issues[0]?.path.join(".")}: ${parsed.error.issues[0]?.message}`);
  const { base, matrix } = parsed.data;
  let combinations: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(matrix)) {
    combinations = combinations.flatMap((combination) => values.map((one) => ({ ...combination, [name]: one })));
    if (combinations.length > MAX_COMBINATIONS) throw invalid(`more than ${MAX_COMBINATIONS} combinations`);
  }
  const named = combinations.map((varied) => ({
    name: Object.entries(varied)
      .map(([name, one]) => `${name}=${one.replace(/[^\w.,-]/g, "_")}`)
      .join("+"),
    options: { ...base, ...varied },
  }));
  const names = named.map(({ name }) => name);
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw invalid(`two combinations would write into ${twice}`);
  return named;
}

/** One row a combination, medians of all metrics, for other programs. */
export function sweepCsv(rows: readonly { readonly combination: Combination; readonly summary: Summary }[]): string {
  const names = [...new Set(rows.flatMap(({ combination }) => Object.keys(combination.options)))];
  const quote = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const lines = rows.map(({ combination: { options }, summary: { runs, estimates } }) => [
    ...names.map((name) => options[name] ?? ""),
    String(runs),
    ...METRICS.map(({ key }) => String(estimates[key]?.value ?? "")),
  ]);
  return [[...names, "runs", ...METRICS.map(({ key }) => key)], ...lines]
    .map((line) => `${line.map(quote).join(",")}\n`)
    .join("");
}
