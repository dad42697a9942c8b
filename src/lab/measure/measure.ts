/** One measured run, from its parameters to the files in its directory. */
import { join } from "node:path";
import { analyse } from "./analyse.ts";
import { assertFits, readMachine } from "./capacity.ts";
import { isShaped } from "./links/model.ts";
import { configHash, type MeasureParams, type RunParams, randomFor } from "./params.ts";
import type { Report } from "./report.ts";
import { reportHtml } from "./report_html.ts";
import { type RunDeps, runNetwork } from "./run.ts";
import { discardUntraced, prepareOutDir, RUN_FILES, readParams, writeParams, writeReport } from "./run_dir.ts";
import { expectedLinks, isNamedTopology, makeTopology, neighboursOf, readTopology, type Topology } from "./topology.ts";
import { readTrace } from "./trace_file.ts";

export interface MeasureOptions {
  readonly params: MeasureParams;
  readonly outDir: string;
  readonly force: boolean;
  /** Runs it again; the seed is added. */
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Measurement {
  readonly run: RunParams;
  readonly report: Report;
  readonly failedLinks: number;
}

/** Throws a `CodedError`: `TOO_MANY_NODES`, and those of `readTopology`. */
export async function topologyOf(params: MeasureParams): Promise<Topology> {
  const { topology, nodes, degree, seed } = params;
  const shaped = isShaped(params);
  if (!isNamedTopology(topology)) {
    const read = await readTopology(topology);
    const mostLinks = Math.max(...neighboursOf(read).map(({ length }) => length));
    assertFits({ nodes: read.nodes, links: read.links.length, mostLinks, isShaped: shaped }, readMachine());
    return read;
  }
  // Before it is made: it could be too large for that.
  assertFits({ nodes, ...expectedLinks(topology, nodes, degree), isShaped: shaped }, readMachine());
  return makeTopology(topology, nodes, degree, randomFor(seed, "topology"));
}

/** Throws a `CodedError` of `topologyOf`, `prepareOutDir` and `runNetwork`. */
export async function measure(
  { params, outDir, force, command, versions }: MeasureOptions,
  deps: RunDeps,
): Promise<Measurement> {
  const topology = await topologyOf(params);
  const settled = { ...params, nodes: topology.nodes };
  await prepareOutDir(outDir, force);
  const hash = configHash(settled, topology.links);
  const run: RunParams = { command, configHash: hash, params: settled, links: topology.links, versions };
  await writeParams(outDir, run);
  const tracePath = join(outDir, RUN_FILES.trace);
  try {
    const { failedLinks } = await runNetwork(settled, topology, tracePath, deps);
    return { run, report: await writeReportOf(outDir, run), failedLinks };
  } catch (error) {
    await discardUntraced(outDir);
    throw error;
  }
}

/** Makes the report of a run's directory again, from its trace. */
export async function reportAgain(dir: string): Promise<Report> {
  return writeReportOf(dir, await readParams(dir));
}

async function writeReportOf(dir: string, run: RunParams): Promise<Report> {
  const trace = await readTrace(join(dir, RUN_FILES.trace));
  const { report, picture } = await analyse(trace, run.params, run.links);
  await writeReport(dir, report, reportHtml({ report, picture, run, nodes: trace.header.nodes }));
  return report;
}
