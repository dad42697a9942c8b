/** A run's directory: params.json, trace.ndjson, report.json, report.html. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { makeDirectory } from "../../base/files.ts";
import type { ObservedReport } from "./observed_report.ts";
import type { RunParams } from "./params.ts";
import { REPORT_VERSION, type Report } from "./report.ts";
import type { Summary } from "./summary.ts";

export const RUN_FILES = {
  params: "params.json",
  trace: "trace.ndjson",
  report: "report.json",
  html: "report.html",
  /** Of `--trace-format pubsub`. */
  pubsub: "trace.pubsub.ndjson",
  protobuf: "trace.pubsub.pb.gz",
} as const;

/** Of `--trace-format interop`: `node<i>.ndjson`. */
export const INTEROP_DIR = "interop";

/** Of a directory that holds several runs, each in a directory of its own. */
export const SUMMARY_FILE = "summary.json";

const Interval = z.object({ low: z.number(), high: z.number() });
const SummaryFile = z.object({
  runs: z.number(),
  configHash: z.string(),
  estimates: z.record(z.string(), z.object({ value: z.number(), interval: Interval.nullable() })),
  /** Of the runs in it: others may stand beside them. */
  dirs: z.array(z.string().regex(/^seed-\d+$/)),
});

/** Of several runs side by side. */
export const COMPARISON_FILE = "compare.html";

/** Makes the directory. Throws a `CodedError`: `OUT_EXISTS` where it holds anything and `force` is not set, `OUT_UNWRITABLE`. */
export async function prepareOutDir(dir: string, force: boolean): Promise<void> {
  try {
    await makeDirectory(dir);
    const present = await readdir(dir);
    if (present.length > 0 && !force) {
      throw new CodedError(
        "OUT_EXISTS",
        `${dir} exists and is not empty: choose another --out, or overwrite it with --force`,
        {
          dir,
        },
      );
    }
    // Of an earlier run nothing may stand beside the files of this one; what is not ours stays.
    const interop = present.includes(INTEROP_DIR) ? await readdir(join(dir, INTEROP_DIR)) : [];
    const stale = [
      ...[...Object.values(RUN_FILES), SUMMARY_FILE],
      ...interop.filter((name) => /^node\d+\.ndjson$/.test(name)).map((name) => join(INTEROP_DIR, name)),
    ];
    for (const name of stale) await rm(join(dir, name), { force: true });
  } catch (error) {
    throw unwritable(dir, error);
  }
}

/** Of a run that left no trace nothing stays: the same command may be tried again without `--force`. */
export async function discardUntraced(dir: string): Promise<void> {
  const present = await readdir(dir);
  if (!present.includes(RUN_FILES.trace)) await rm(join(dir, RUN_FILES.params), { force: true });
}

export async function writeParams(dir: string, params: RunParams): Promise<void> {
  await writeJson(dir, RUN_FILES.params, params);
}

export async function writeReport(dir: string, report: Report, html: string): Promise<void> {
  await writeJson(dir, RUN_FILES.report, report);
  await writeText(dir, RUN_FILES.html, html);
}

/** Throws a `CodedError`: `OUT_EXISTS` where the file is there and `force` is not set, `OUT_UNWRITABLE`. */
export async function writeComparison(file: string, html: string, force: boolean): Promise<void> {
  try {
    await makeDirectory(dirname(file));
    await writeFile(file, html, { flag: force ? "w" : "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(file, error);
    throw new CodedError("OUT_EXISTS", `${file} exists: choose another --out, or overwrite it with --force`, { file });
  }
}

export async function writeObserved(dir: string, report: ObservedReport): Promise<void> {
  await writeJson(dir, RUN_FILES.report, report);
}

export async function writeSweep(dir: string, csv: string): Promise<void> {
  await writeText(dir, "sweep.csv", csv);
}

/** @param runs the directories of what is summed up, below `dir`. */
export async function writeSummary(dir: string, summary: Summary, runs: readonly string[]): Promise<void> {
  await writeJson(dir, SUMMARY_FILE, { ...summary, dirs: runs.map((run) => basename(run)) });
}

/** With the directories of its runs. Throws a `CodedError`: `RUN_UNREADABLE`. */
export async function readSummary(dir: string): Promise<{ readonly summary: Summary; readonly dirs: string[] }> {
  const parsed = SummaryFile.safeParse(await readJson(dir, SUMMARY_FILE));
  if (parsed.success) {
    const { dirs, ...summary } = parsed.data;
    return { summary, dirs: dirs.map((name) => join(dir, name)) };
  }
  throw new CodedError("RUN_UNREADABLE", `${join(dir, SUMMARY_FILE)} is none that "msgbus measure --repeat" wrote`, {
    dir,
  });
}

async function writeJson(dir: string, name: string, value: unknown): Promise<void> {
  await writeText(dir, name, `${JSON.stringify(value, null, 2)}\n`);
}

async function writeText(dir: string, name: string, text: string): Promise<void> {
  try {
    await writeFile(join(dir, name), text);
  } catch (error) {
    throw unwritable(dir, error);
  }
}

/** What a failure to write into the directory is called. */
export function unwritable(dir: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError("OUT_UNWRITABLE", `Cannot write ${dir}: ${errorMessage(error)}`, { dir }, error);
}

/** Throws a `CodedError`: `RUN_UNREADABLE`. */
export async function readParams(dir: string): Promise<RunParams> {
  const value = await readJson(dir, RUN_FILES.params);
  if (typeof value === "object" && value !== null && "configHash" in value && "params" in value)
    return value as RunParams;
  throw new CodedError("RUN_UNREADABLE", `${join(dir, RUN_FILES.params)} is none that "msgbus measure" wrote`, { dir });
}

/** Throws a `CodedError`: `RUN_UNREADABLE`. */
export async function readReport(dir: string): Promise<Report> {
  const value = await readJson(dir, RUN_FILES.report);
  if (typeof value === "object" && value !== null && "version" in value && value.version === REPORT_VERSION) {
    return value as Report;
  }
  throw new CodedError("RUN_UNREADABLE", `${join(dir, RUN_FILES.report)} is no report of version ${REPORT_VERSION}`, {
    dir,
  });
}

async function readJson(dir: string, name: string): Promise<unknown> {
  const file = join(dir, name);
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new CodedError(
      "RUN_UNREADABLE",
      `Cannot read ${file} (${errorMessage(error)}): give a directory that "msgbus measure --out" wrote`,
      { file },
      error,
    );
  }
}
