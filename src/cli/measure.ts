/** `msgbus measure`: how messages propagate in a network of real nodes, in figures that others can compare. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import {
  type Contender,
  compare,
  compareTable,
  readContender,
  summarize,
  summaryTable,
} from "../lab/measure/compare.ts";
import { parseBandwidth, parseLatency } from "../lab/measure/links/model.ts";
import { type Measurement, measure, reportAgain } from "../lab/measure/measure.ts";
import type { MeasureParams } from "../lab/measure/params.ts";
import type { RunProgress } from "../lab/measure/run.ts";
import { RUN_FILES, writeSummary } from "../lab/measure/run_dir.ts";
import { reportNotes, reportTable } from "../lab/measure/table.ts";
import { isNamedTopology, readTopology } from "../lab/measure/topology.ts";
import {
  jsonOption,
  parseNonNegativeInteger,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
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
/** Messages that do not count are published for so long. */
const WARMUP_S = 3;
const PROGRESS_WIDTH = 30;

export interface MeasureFlags {
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
  json: boolean;
}

const DEFAULT_NODES = 50;

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
  return new Command("measure")
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
    .addOption(secondsOption("--deadline <s>", "from publishing: later is not delivered", 5, parsePositiveSecondsToMs))
    .option("--repeat <n>", "runs, with seeds from --seed on", bounded(parsePositiveInteger, 1, MAX_REPEATS), 1)
    .option("--out <dir>", "where the files go", "msgbus-measure")
    .option("--force", "overwrite what is in --out", false)
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
    .addCommand(reportCommand());
}

async function run(flags: MeasureFlags): Promise<void> {
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  const signal = createShutdownSignal(systemClock);
  await measureInto(flags, flags.out, signal, output);
}

/** One run, or several below `outDir`. */
export async function measureInto(
  flags: MeasureFlags,
  outDir: string,
  signal: AbortSignal,
  output: Output,
): Promise<void> {
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
      tell(measurement, dir, output);
    } finally {
      progress.clear();
    }
  }
  const [first] = measurements;
  if (flags.repeat > 1 && first !== undefined) {
    const summary = summarize(
      measurements.map(({ report }) => report),
      first.run.configHash,
    );
    await writeSummary(outDir, summary);
    output.event(
      "summary",
      { ...summary },
      `\nMedians of ${summary.runs} runs, with the smallest and largest value:\n${summaryTable(summary)}`,
    );
  }
  if (signal.aborted) process.exitCode = 130;
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
      const output = json ? createJsonOutput(systemClock) : createHumanOutput();
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
      const output = json ? createJsonOutput(systemClock) : createHumanOutput();
      output.event("report", { dir, ...report }, [reportTable(report), ...reportNotes(report)].join("\n"));
    });
}
