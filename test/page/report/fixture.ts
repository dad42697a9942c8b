/** A run as a report has it, without running it: every node has each message some milliseconds after the one it came from. */
import { type Analysed, analyse } from "../../../src/lab/measure/analyse.ts";
import type { MeasureParams } from "../../../src/lab/measure/params.ts";
import type { ReportPage } from "../../../src/lab/measure/report_html.ts";
import type { TraceEvent, TraceHeader } from "../../../src/lab/measure/trace.ts";

/** Microseconds between two publications, and of one link. */
const INTERVAL_US = 10_000;
const LINK_US = 1_000;

export interface RunShape {
  readonly nodes: number;
  readonly messages: number;
  /** Peer ids; made up where there are none. */
  readonly names?: readonly string[];
}

/** Nodes pass each message on along a line that begins at its publisher. */
function* events({ nodes, messages }: RunShape): Generator<TraceEvent> {
  for (let n = 0; n < nodes; n++) yield { t: 0, e: "up", n };
  yield { t: 1000, e: "start" };
  for (let n = 0; n < nodes; n++) yield { t: 1000, e: "sample", n, mesh: [2 + (n % 3)], scores: [1] };
  for (let m = 0; m < messages; m++) {
    const t = 1000 + m * INTERVAL_US;
    yield { t, e: "publish", n: m % nodes, m, late: 0 };
    for (let k = 1; k < nodes; k++) {
      yield { t: t + k * LINK_US, e: "deliver", n: (m + k) % nodes, p: (m + k - 1) % nodes, m, v: 50 };
    }
  }
  yield { t: 1000 + messages * INTERVAL_US + nodes * LINK_US, e: "end" };
}

async function analysed(shape: RunShape, header: TraceHeader, params: MeasureParams): Promise<Analysed> {
  async function* lines() {
    yield* events(shape);
  }
  return analyse({ header, events: lines(), brokenAtLine: () => null }, params);
}

export async function makeReportPage(shape: RunShape, params: MeasureParams, command: string): Promise<ReportPage> {
  const { nodes, messages, names } = shape;
  const header: TraceHeader = {
    e: "run",
    version: 1,
    epochMs: 0,
    topics: ["/eth2/00000000/triggered_exit/ssz_snappy"],
    nodes: names ?? Array.from({ length: nodes }, (_, k) => `16Uiu2HAm${String(k).padStart(44, "x")}`),
    messages: Array.from({ length: messages }, (_, k) => String(k)),
    payloadBytes: new Array<number>(messages).fill(1000),
    firstCounted: 0,
  };
  const links = header.nodes.map((_, k): [number, number] => [k, (k + 1) % nodes]);
  const run = { command, configHash: "0123", params: { ...params, nodes }, links, versions: {} };
  return { ...(await analysed(shape, header, params)), run, nodes: header.nodes };
}
