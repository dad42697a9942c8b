import { join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { systemClock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { type Contender, compareTable, readContender } from "../../lab/measure/compare.ts";
import { compareHtml } from "../../lab/measure/report_html.ts";
import { COMPARISON_FILE, prepareOutDir, writeComparison, writeSweep } from "../../lab/measure/run_dir.ts";
import { type Combination, MAX_COMBINATIONS, readSweep, sweepCsv } from "../../lab/measure/sweep.ts";
import { jsonOption, parseNonNegativeInteger } from "../options.ts";
import { colour, type Output, outputOf } from "../output.ts";
import { createShutdownSignal } from "../shutdown.ts";
import { addRunOptions, paramsOf, type RunFlags } from "./flags.ts";
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
      "Runs every combination of a file's matrix, each into a directory of its own, and writes sweep.csv and compare.html.",
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
    .addHelpText(
      "after",
      `
The file is YAML (or JSON), and holds at most ${MAX_COMBINATIONS} combinations:
  base: {nodes: 20, messages: 100, repeat: 3}
  matrix:
    latency: [none, "uniform:50ms"]
    degree: [8, 16]

Examples:
  $ msgbus measure sweep sweep.yaml --out sweep
  $ msgbus measure sweep sweep.yaml --out sweep --cell 3
  $ msgbus measure sweep sweep.yaml --out sweep --collect`,
    )
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
    const outFlags = { out: join(out, combination.name), force, traceFormat: [] };
    const summary = await measureInto(flags[k] as RunFlags, outFlags, signal, output);
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
  return { ...(await readContender(join(out, combination.name), combination.name)), combination };
}

async function compareRows(rows: readonly Row[], out: string, output: Output): Promise<void> {
  if (rows.length < 2) return;
  if (rows.length <= MAX_COMPARED) await writeComparison(join(out, COMPARISON_FILE), compareHtml(rows), true);
  output.event("sweep", { combinations: rows.length }, compareTable(rows));
}

/** As the command line would have it. Throws a `CodedError` `SWEEP_INVALID`, and those of options. */
function flagsOf(options: Readonly<Record<string, string>>, file: string): RunFlags {
  const invalid = (problem: string, cause?: unknown) =>
    new CodedError("SWEEP_INVALID", `${file}: ${problem}`, { file }, cause);
  const command = addRunOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const args = Object.entries(options).flatMap(([name, value]) => {
    const option = command.options.find((known) => known.name() === name);
    if (option === undefined) {
      const names = command.options.map((known) => known.name()).join(", ");
      throw invalid(`there is no option "${name}"; there are ${names}`);
    }
    if (!option.isBoolean()) return [`--${name}=${value}`];
    if (value !== "true" && value !== "false") throw invalid(`${name} is "${value}": it must be true or false`);
    return value === "true" ? [`--${name}`] : [];
  });
  try {
    return command.parse(args, { from: "user" }).opts<RunFlags>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw invalid(error.message.replace(/^error: /, ""), error);
  }
}
