/** A run, or several of one configuration: done, told, and summed up. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { convertTrace } from "../../lab/measure/formats/format.ts";
import { type Measurement, measure } from "../../lab/measure/measure.ts";
import type { RunProgress } from "../../lab/measure/run.ts";
import { prepareOutDir, RUN_FILES, writeSummary } from "../../lab/measure/run_dir.ts";
import { type Summary, summarize, summaryTable } from "../../lab/measure/summary.ts";
import { reportNotes, reportTable } from "../../lab/measure/table.ts";
import { colour, type Output } from "../output.ts";
import { packageVersion } from "../version.ts";
import { commandOf, type OutFlags, paramsOf, type RunFlags } from "./flags.ts";

const PROGRESS_WIDTH = 30;
const EXIT_INTERRUPTED = 130;

/** One run, or several below `out`. Null where it was interrupted before one was done. */
export async function measureInto(
  flags: RunFlags,
  { out, force, traceFormat }: OutFlags,
  signal: AbortSignal,
  output: Output,
): Promise<Summary | null> {
  const base = await paramsOf(flags);
  if (flags.repeat > 1) await prepareOutDir(out, force);
  const done: { readonly dir: string; readonly measurement: Measurement }[] = [];
  for (let k = 0; k < flags.repeat && !signal.aborted; k++) {
    const params = { ...base, seed: base.seed + k };
    const dir = flags.repeat === 1 ? out : join(out, `seed-${params.seed}`);
    const progress = createProgress(flags.repeat === 1 ? "" : `run ${k + 1} of ${flags.repeat}, `);
    try {
      const measurement = await measure(
        { params, outDir: dir, force, command: commandOf(params), versions: versions() },
        { clock: systemClock, signal, version: packageVersion(), onProgress: progress.show },
      );
      progress.clear();
      const trace = join(dir, RUN_FILES.trace);
      for (const format of traceFormat) await convertTrace(trace, format, dir);
      tell(measurement, dir, output);
      // What was interrupted is no repetition of the others.
      if (!measurement.report.partial) done.push({ dir, measurement });
    } finally {
      progress.clear();
    }
  }
  if (signal.aborted) process.exitCode = EXIT_INTERRUPTED;
  const [first] = done;
  if (first === undefined) return null;
  const reports = done.map(({ measurement }) => measurement.report);
  const summary = summarize(reports, first.measurement.run.configHash);
  if (flags.repeat > 1) {
    await writeSummary(
      out,
      summary,
      done.map(({ dir }) => dir),
    );
    const head =
      summary.runs === 1
        ? "One run was done, with the intervals that it has by itself:"
        : `Medians of ${summary.runs} runs, with the smallest and largest value:`;
    output.event("summary", { ...summary }, `${head}\n${summaryTable(summary)}`);
  }
  return summary;
}

function versions(): Record<string, string> {
  const { dependencies } = createRequire(import.meta.url)("../../../package.json") as {
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
  const lines = [
    colour("bold", `${run.params.nodes} nodes, seed ${run.params.seed}, config ${run.configHash}`),
    reportTable(report),
    ...reportNotes(report).map((note) => colour("yellow", note)),
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
