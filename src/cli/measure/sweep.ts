import { join } from "node:path";
import { Command, Option } from "commander";
import { systemClock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { type Contender, compareTable, readContender } from "../../lab/measure/compare.ts";
import { COMPARISON_FILE, prepareOutDir, writeComparison, writeSweep } from "../../lab/measure/run_dir.ts";
import { type Combination, readSweep, sweepCsv } from "../../lab/measure/sweep.ts";
import { jsonOption, parseNonNegativeInteger } from "../options.ts";
import { colour, type Output, outputOf } from "../output.ts";
import { createShutdownSignal } from "../shutdown.ts";
import { addRunOptions, type MeasureFlags, paramsOf } from "./flags.ts";
import { measureInto } from "./run.ts";

interface SweepFlags {
  out: string;
  force: boolean;
  cell?: number;
  collect: boolean;
  json: boolean;
}

/** Combinations on one page; more curves cannot be told apart, and sweep.csv has them all. */
const MAX_COMPARED = 12;

interface Row extends Contender {
  readonly combination: Combination;
}

export function sweepCommand(): Command {
  return new Command("sweep")
    .description(
      "Runs every combination of a file's matrix, each into a directory of its own, and writes sweep.csv and compare.html. The file\n" +
        "is YAML: base: {nodes: 20, messages: 100}, matrix: {latency: [none, uniform:50ms], degree: [8, 16]}.",
    )
    .argument("<file>", "options of msgbus measure without their dashes")
    .option("--out <dir>", "where the directories go", "msgbus-sweep")
    .option("--force", "overwrite what is there", false)
    .option(
      "--cell <n>",
      "runs one combination alone, from 0 in the file's order, so that several machines share a sweep",
      parseNonNegativeInteger,
    )
    .addOption(
      new Option("--collect", "runs nothing: writes sweep.csv of the combinations that --out holds")
        .default(false)
        .conflicts(["cell", "force"]),
    )
    .addOption(jsonOption())
    .action(sweep);
}

async function sweep(file: string, { out, force, cell, collect, json }: SweepFlags): Promise<void> {
  const combinations = await readSweep(file);
  // All of them are looked at before the first is run.
  const flags = combinations.map(({ options }) => flagsOf(options, file));
  for (const each of flags) await paramsOf(each);
  if (cell !== undefined && cell >= combinations.length) {
    throw new CodedError("NO_CELL", `--cell is ${cell}, but ${file} has the cells 0 to ${combinations.length - 1}`, {
      cell,
    });
  }
  const output = outputOf({ json }, systemClock);
  if (collect) {
    const rows = await collectRows(combinations, out);
    await writeSweep(out, sweepCsv(rows));
    await compareRows(rows, out, output);
    return;
  }
  const signal = createShutdownSignal(systemClock);
  // Others write their cells into the same directory.
  if (cell === undefined) await prepareOutDir(out, force);
  const rows: Row[] = [];
  for (const [k, combination] of combinations.entries()) {
    if (signal.aborted) break;
    if (cell !== undefined && cell !== k) continue;
    const line = colour("bold", `${k + 1} of ${combinations.length}: ${combination.name}`);
    output.event("combination", { ...combination }, line);
    const each = { ...(flags[k] as MeasureFlags), force };
    const summary = await measureInto(each, join(out, combination.name), signal, output);
    if (summary !== null) rows.push(await readRow(combination, out));
    if (cell === undefined) await writeSweep(out, sweepCsv(rows));
  }
  await compareRows(rows, out, output);
}

/** Throws a `CodedError` `RUN_UNREADABLE` where one is missing. */
async function collectRows(combinations: readonly Combination[], out: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const combination of combinations) rows.push(await readRow(combination, out));
  return rows;
}

async function readRow(combination: Combination, out: string): Promise<Row> {
  const contender = await readContender(join(out, combination.name));
  return { ...contender, combination, name: combination.name };
}

async function compareRows(rows: readonly Row[], out: string, output: Output): Promise<void> {
  if (rows.length < 2) return;
  if (rows.length <= MAX_COMPARED) await writeComparison(join(out, COMPARISON_FILE), rows, true);
  output.event("sweep", { combinations: rows.length }, compareTable(rows));
}

/** As the command line would have it. Throws a `CodedError` `SWEEP_INVALID`. */
function flagsOf(options: Readonly<Record<string, string>>, file: string): MeasureFlags {
  const own = new Set(["out", "force", "trace-format"]);
  const known = addRunOptions(new Command()).options.filter((option) => !own.has(option.name()));
  const flags: Record<string, unknown> = { force: false, traceFormat: [], json: true };
  for (const option of known) {
    const value = options[option.name()];
    try {
      if (value === undefined) flags[option.attributeName()] = option.defaultValue;
      else flags[option.attributeName()] = option.parseArg?.(value, undefined) ?? value;
    } catch (error) {
      throw new CodedError(
        "SWEEP_INVALID",
        `${file}: ${option.name()} is "${value}". ${errorMessage(error)}`,
        { file },
        error,
      );
    }
  }
  const unknown = Object.keys(options).find((name) => !known.some((option) => option.name() === name));
  if (unknown === undefined) return flags as unknown as MeasureFlags;
  const names = known.map((option) => option.name()).join(", ");
  throw new CodedError("SWEEP_INVALID", `${file}: there is no option "${unknown}"; there are ${names}`, { file });
}
