/** `msgbus measure`: how messages propagate in a network of real nodes, in figures that others can compare. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import {
  type Contender,
  compare,
  compareTable,
  readContender,
  type Summary,
  summarize,
  summaryTable,
} from "../lab/measure/compare.ts";
import { convertTrace, TRACE_FORMATS, type TraceFormat } from "../lab/measure/formats/format.ts";
import { parseBandwidth, parseLatency } from "../lab/measure/links/model.ts";
import { type Measurement, measure, reportAgain } from "../lab/measure/measure.ts";
import { observe } from "../lab/measure/observe.ts";
import { observedText } from "../lab/measure/observed_report.ts";
import type { MeasureParams } from "../lab/measure/params.ts";
import type { RunProgress } from "../lab/measure/run.ts";
import { prepareOutDir, RUN_FILES, writeObserved, writeSummary, writeSweep } from "../lab/measure/run_dir.ts";
import { type Combination, readSweep, sweepCsv } from "../lab/measure/sweep.ts";
import { reportNotes, reportTable } from "../lab/measure/table.ts";
import { isNamedTopology, readTopology } from "../lab/measure/topology.ts";
import {
  jsonOption,
  parseMultiaddr,
  parseNonNegativeInteger,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
  repeatable,
  secondsOption,
} from "./options.ts";
import { colour, createHumanOutput, createJsonOutput, type Output } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";
import { packageVersion } from "./version.ts";

const MAX_NODES = 10_000;
/** Each is a validator with a key, and a proof. */
const MAX_MESSAGES = 100_000;
const MAX_RATE = 10_000;
const MAX_REPEATS = 1_000;
/** Each takes a place in a peer's mesh. */
const MAX_OBSERVERS = 16;
/** Messages that do not count are published for so long. */
const WARMUP_S = 3;
const PROGRESS_WIDTH = 30;

interface MeasureFlags {
  nodes?: number;
  rate: number;
  messages: number;
  topology: string;
  degree: number;
  latency: string;
  bandwidth: string;
  loss: number;
  churn: number;
  seed: number;
  deadline: number;
  repeat: number;
  out: string;
  force: boolean;
  traceFormat: TraceFormat[];
  json: boolean;
}

const DEFAULT_NODES = 50;
const EXIT_INTERRUPTED = 130;

function bounded(parse: (value: string) => number, min: number, max: number): (value: string) => number {
  return (value) => {
    const number = parse(value);
    if (!(number >= min && number <= max)) throw new InvalidArgumentError(`It must be from ${min} to ${max}.`);
    return number;
  };
}

/** A share, below one: nothing would be left. */
function parseShare(value: string): number {
  const share = Number(value);
  if (!/^\d*\.?\d+$/.test(value) || share >= 1)
    throw new InvalidArgumentError("It must be from 0 to below 1, such as 0.01.");
  return share;
}

export function measureCommand(): Command {
  return (
    new Command("measure")
      // Its own options stand before a subcommand's name, so that both may have --out and --json.
      .enablePositionalOptions()
      .description(
        "Runs a network of real nodes that publish triggered exits made for the run, each judged in full by every node,\n" +
          "and measures how they propagate. Writes params.json, trace.ndjson, report.json and report.html.",
      )
      .option(
        "--nodes <n>",
        `nodes (default: ${DEFAULT_NODES}, or those of a topology's file)`,
        bounded(parsePositiveInteger, 2, MAX_NODES),
      )
      .option("--rate <n>", "messages a second, over all nodes", bounded(Number, 0.01, MAX_RATE), 10)
      .option("--messages <n>", "messages that count", bounded(parsePositiveInteger, 1, MAX_MESSAGES), 300)
      .option("--topology <name|file>", "random, ring, star, or a JSON file with nodes and links", "random")
      .option("--degree <n>", "connections a node, in random and ring", parsePositiveInteger, 16)
      .option("--latency <model>", "none, uniform:50ms (one way), normal:50ms,10ms, cities", "none")
      .option("--bandwidth <model>", "none, or each node's upload: uniform:50mbit", "none")
      .option("--loss <share>", "of TCP segments, each sent again after a timeout", parseShare, 0)
      .option("--churn <share>", "chance a second that a node leaves, for 5 s", parseShare, 0)
      .option("--seed <n>", "chooses identities, topology, publishers, chance on links", parseNonNegativeInteger, 1)
      .addOption(
        secondsOption("--deadline <s>", "from publishing: later is not delivered", 5, parsePositiveSecondsToMs),
      )
      .option("--repeat <n>", "runs, with seeds from --seed on", bounded(parsePositiveInteger, 1, MAX_REPEATS), 1)
      .option("--out <dir>", "where the files go", "msgbus-measure")
      .option("--force", "overwrite what is in --out", false)
      .option(
        "--trace-format <format>",
        "also write the trace as pubsub (go-libp2p-pubsub's TraceEvent) or interop (libp2p/test-plans); repeatable",
        repeatable(parseTraceFormat),
        [],
      )
      .addOption(jsonOption())
      .addHelpText(
        "after",
        `
docs/measuring.md defines every figure. Ctrl-C ends a run early; its report is marked partial.

Examples:
  $ msgbus measure
  $ msgbus measure --nodes 100 --latency cities --bandwidth uniform:50mbit --out cities
  $ msgbus measure --repeat 5 --seed 1 --out before
  $ msgbus measure compare before after`,
      )
      .action(run)
      .addCommand(compareCommand())
      .addCommand(sweepCommand())
      .addCommand(observeCommand())
      .addCommand(reportCommand())
  );
}

function parseTraceFormat(value: string): TraceFormat {
  const format = TRACE_FORMATS.find((known) => known === value);
  if (format === undefined) throw new InvalidArgumentError(`It must be one of ${TRACE_FORMATS.join(", ")}.`);
  return format;
}

async function run(flags: MeasureFlags): Promise<void> {
  const signal = createShutdownSignal(systemClock);
  await measureInto(flags, flags.out, signal, outputOf(flags));
}

function outputOf({ json }: { json: boolean }): Output {
  return json ? createJsonOutput(systemClock) : createHumanOutput();
}

/** One run, or several below `outDir`. Null where it was interrupted before any was done. */
async function measureInto(
  flags: MeasureFlags,
  outDir: string,
  signal: AbortSignal,
  output: Output,
): Promise<Summary | null> {
  const base = await paramsOf(flags);
  const measurements: Measurement[] = [];
  for (let k = 0; k < flags.repeat && !signal.aborted; k++) {
    const params = { ...base, seed: base.seed + k };
    const dir = flags.repeat === 1 ? outDir : join(outDir, `seed-${params.seed}`);
    const progress = createProgress(flags.repeat === 1 ? "" : `run ${k + 1} of ${flags.repeat}, `);
    try {
      const measurement = await measure(
        { params, outDir: dir, force: flags.force, command: commandOf(params), versions: versions() },
        { clock: systemClock, signal, version: packageVersion(), onProgress: progress.show },
      );
      measurements.push(measurement);
      progress.clear();
      const trace = join(dir, RUN_FILES.trace);
      for (const format of flags.traceFormat) await convertTrace(trace, format, dir);
      tell(measurement, dir, output);
    } finally {
      progress.clear();
    }
  }
  if (signal.aborted) process.exitCode = EXIT_INTERRUPTED;
  const [first] = measurements;
  if (first === undefined) return null;
  const reports = measurements.map(({ report }) => report);
  const summary = summarize(reports, first.run.configHash);
  if (flags.repeat > 1) {
    await writeSummary(outDir, summary);
    const text = `Medians of ${summary.runs} runs, with the smallest and largest value:\n${summaryTable(summary)}`;
    output.event("summary", { ...summary }, text);
  }
  return summary;
}

async function paramsOf(flags: MeasureFlags): Promise<MeasureParams> {
  const { rate, messages, topology, degree, latency, bandwidth, loss, churn, seed, deadline } = flags;
  parseLatency(latency);
  parseBandwidth(bandwidth);
  const given = isNamedTopology(topology) ? null : await readTopology(topology);
  if (given !== null && flags.nodes !== undefined && flags.nodes !== given.nodes) {
    throw new CodedError(
      "BAD_NODES",
      `--nodes is ${flags.nodes}, but ${topology} has ${given.nodes} nodes: leave --nodes out`,
      { nodes: flags.nodes, given: given.nodes },
    );
  }
  return {
    nodes: given?.nodes ?? flags.nodes ?? DEFAULT_NODES,
    rate,
    messages,
    warmupMessages: Math.ceil(rate * WARMUP_S),
    topology,
    degree,
    latency,
    bandwidth,
    loss,
    churn,
    seed,
    deadlineMs: deadline,
  };
}

function commandOf(params: MeasureParams): string {
  const { nodes, rate, messages, topology, degree, latency, bandwidth, loss, churn, seed, deadlineMs } = params;
  return (
    `msgbus measure --nodes ${nodes} --rate ${rate} --messages ${messages} --topology ${topology} --degree ${degree} ` +
    `--latency ${latency} --bandwidth ${bandwidth} --loss ${loss} --churn ${churn} --seed ${seed} --deadline ${deadlineMs / 1000}`
  );
}

function versions(): Record<string, string> {
  const { dependencies } = createRequire(import.meta.url)("../../package.json") as {
    dependencies: Record<string, string>;
  };
  const { libp2p = "", "@chainsafe/libp2p-gossipsub": gossipsub = "" } = dependencies;
  return {
    msgbus: packageVersion(),
    node: process.versions.node,
    libp2p,
    gossipsub,
    platform: `${process.platform} ${process.arch}`,
  };
}

function tell({ run, report, failedLinks }: Measurement, dir: string, output: Output): void {
  const notes = reportNotes(report);
  if (failedLinks > 0) notes.push(`${failedLinks} links could not be made.`);
  const lines = [
    colour("bold", `${run.params.nodes} nodes, seed ${run.params.seed}, config ${run.configHash}`),
    reportTable(report),
    ...notes.map((note) => colour("yellow", note)),
    `Written to ${join(dir, RUN_FILES.html)}`,
  ];
  output.event("report", { dir, configHash: run.configHash, failedLinks, ...report }, lines.join("\n"));
}

/** A bar on stderr that rewrites itself, for people at a terminal only. */
function createProgress(prefix: string): { show(progress: RunProgress): void; clear(): void } {
  const { stderr } = process;
  const clear = () => {
    if (stderr.isTTY) stderr.write("\r\u001b[K");
  };
  return {
    show({ phase, done, total }) {
      if (!stderr.isTTY) return;
      const filled = Math.min(PROGRESS_WIDTH, Math.round((done / Math.max(1, total)) * PROGRESS_WIDTH));
      const bar = "█".repeat(filled) + "░".repeat(PROGRESS_WIDTH - filled);
      stderr.write(`\r\u001b[K${prefix}${phase.padEnd(10)} ${bar} ${done} of ${total}`);
    },
    clear,
  };
}

function compareCommand(): Command {
  return new Command("compare")
    .description(
      "Puts runs side by side, each over the first: directories of single runs or of --repeat. A difference counts where the\n" +
        "intervals have nothing in common; of a single run only latency and delivery have one.",
    )
    .argument("<dirs...>", "two or more directories")
    .addOption(jsonOption())
    .action(async (dirs: string[], { json }: { json: boolean }, command: Command) => {
      if (dirs.length < 2) command.error("error: give two directories or more");
      const contenders: Contender[] = [];
      for (const dir of dirs) contenders.push(await readContender(dir));
      const output = outputOf({ json });
      const hashes = new Set(contenders.map(({ summary }) => summary.configHash));
      const note = hashes.size === 1 ? "The same configuration." : "The configurations differ: see params.json.";
      const fields = {
        contenders: contenders.map(({ name, summary }) => ({ name, ...summary })),
        metrics: compare(contenders),
      };
      output.event("comparison", fields, `${compareTable(contenders)}\n${note}`);
    });
}

function reportCommand(): Command {
  return new Command("report")
    .description("Makes report.json and report.html of a run again, from its trace as far as it goes.")
    .argument("<dir>", "a run's directory")
    .addOption(jsonOption())
    .action(async (dir: string, { json }: { json: boolean }) => {
      const report = await reportAgain(dir);
      const output = outputOf({ json });
      output.event("report", { dir, ...report }, [reportTable(report), ...reportNotes(report)].join("\n"));
    });
}

function sweepCommand(): Command {
  return new Command("sweep")
    .description(
      "Runs every combination of a file's matrix, each into a directory of its own, and writes sweep.csv. The file is YAML:\n" +
        "base: {nodes: 20, messages: 100}, matrix: {latency: [none, uniform:50ms], degree: [8, 16]}.",
    )
    .argument("<file>", "options of msgbus measure without their dashes")
    .option("--out <dir>", "where the directories go", "msgbus-sweep")
    .option("--force", "overwrite what is there", false)
    .addOption(jsonOption())
    .action(async (file: string, { out, force, json }: { out: string; force: boolean; json: boolean }) => {
      const combinations = await readSweep(file);
      // All of them are looked at before the first is run.
      const flags = combinations.map(({ options }) => flagsOf(options, file));
      for (const each of flags) await paramsOf(each);
      const signal = createShutdownSignal(systemClock);
      const output = outputOf({ json });
      await prepareOutDir(out, force);
      const rows: { combination: Combination; summary: Summary }[] = [];
      for (const [k, combination] of combinations.entries()) {
        if (signal.aborted) break;
        const line = colour("bold", `${k + 1} of ${combinations.length}: ${combination.name}`);
        output.event("combination", { ...combination }, line);
        const each = { ...(flags[k] as MeasureFlags), force };
        const summary = await measureInto(each, join(out, combination.name), signal, output);
        if (summary !== null) rows.push({ combination, summary });
        await writeSweep(out, sweepCsv(rows));
      }
      const contenders = rows.map(({ combination, summary }) => ({ name: combination.name, run: null, summary }));
      if (rows.length > 1) output.event("sweep", { combinations: rows.length }, compareTable(contenders));
    });
}

/** As the command line would have it. Throws a `CodedError` `SWEEP_INVALID`. */
function flagsOf(options: Readonly<Record<string, string>>, file: string): MeasureFlags {
  const own = new Set(["out", "force", "json", "trace-format"]);
  const known = measureCommand().options.filter((option) => !own.has(option.name()));
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

interface ObserveFlags {
  peer: string[];
  network: string;
  seconds: number;
  observers: number;
  out: string;
  force: boolean;
  json: boolean;
}

function observeCommand(): Command {
  return new Command("observe")
    .description(
      "Measures a network that is not ours, as some ordinary peers that subscribe and never forward: when messages arrive at\n" +
        "each, who is first, copies, mesh and IHAVE. Writes trace.ndjson and report.json.",
    )
    .requiredOption(
      "--peer <multiaddr>",
      "a peer of that network, with its /p2p/ id; repeatable",
      repeatable(parseMultiaddr),
    )
    .requiredOption("--network <dir>", "the network's directory")
    .addOption(secondsOption("--seconds <s>", "for how long", 60, parsePositiveSecondsToMs))
    .option("--observers <n>", "peers that observe", bounded(parsePositiveInteger, 1, MAX_OBSERVERS), 3)
    .option("--out <dir>", "where the files go", "msgbus-observe")
    .option("--force", "overwrite what is in --out", false)
    .addOption(jsonOption())
    .action(async ({ peer, network, seconds, observers, out, force, json }: ObserveFlags) => {
      const signal = createShutdownSignal(systemClock);
      await prepareOutDir(out, force);
      const { stderr } = process;
      const report = await observe(
        {
          peers: peer,
          networkDir: network,
          durationMs: seconds,
          observers,
          tracePath: join(out, RUN_FILES.trace),
          version: packageVersion(),
        },
        {
          clock: systemClock,
          random: systemRandom,
          signal,
          onProgress(elapsedMs, peers) {
            if (stderr.isTTY)
              stderr.write(`\r\u001b[K${(elapsedMs / 1000).toFixed(0)} of ${seconds / 1000} s, ${peers} peers`);
          },
        },
      );
      if (stderr.isTTY) stderr.write("\r\u001b[K");
      await writeObserved(out, report);
      outputOf({ json }).event("report", { ...report }, observedText(report));
    });
}
