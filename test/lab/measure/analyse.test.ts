import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { analyse } from "../../../src/lab/measure/analyse.ts";
import { type Contender, compare, readContender } from "../../../src/lab/measure/compare.ts";
import type { Report } from "../../../src/lab/measure/report.ts";
import { writeSummary } from "../../../src/lab/measure/run_dir.ts";
import { summarize } from "../../../src/lab/measure/summary.ts";
import { reportNotes, reportTable } from "../../../src/lab/measure/table.ts";
import type { Link } from "../../../src/lab/measure/topology.ts";
import type { TraceEvent, TraceHeader } from "../../../src/lab/measure/trace.ts";
import { readTrace } from "../../../src/lab/measure/trace_file.ts";
import { PARAMS } from "./fixture.ts";

const HEADER: TraceHeader = {
  e: "run",
  version: 1,
  epochMs: 1_700_000_000_000,
  topics: ["/eth2/00000000/triggered_exit/ssz_snappy"],
  nodes: ["a", "b", "c", "d"],
  messages: ["00", "01", "02"],
  payloadBytes: [1000, 1000, 1000],
  firstCounted: 1,
};

const ms = (value: number) => value * 1000;

/** Node 0 publishes; message 0 warms up, 1 reaches all over a chain, 2 reaches node 1 in time and node 2 too late. */
const EVENTS: TraceEvent[] = [
  ...[0, 1, 2, 3].map((n): TraceEvent => ({ t: 0, e: "up", n })),
  { t: ms(10), e: "publish", n: 0, m: 0, late: 0 },
  { t: ms(500), e: "deliver", n: 1, p: 0, m: 0, v: 999 },
  { t: ms(900), e: "start" },
  { t: ms(1000), e: "publish", n: 0, m: 1, late: 100 },
  { t: ms(1000), e: "send", n: 0, p: 1, b: 1100, m: [1] },
  { t: ms(1010), e: "recv", n: 1, p: 0, b: 1100, m: [1] },
  { t: ms(1010), e: "deliver", n: 1, p: 0, m: 1, v: 50 },
  { t: ms(1020), e: "deliver", n: 2, p: 1, m: 1, v: 50 },
  { t: ms(1040), e: "deliver", n: 3, p: 2, m: 1, v: 70 },
  { t: ms(1041), e: "duplicate", n: 3, p: 1, m: 1 },
  { t: ms(1100), e: "send", n: 0, p: 2, b: 100, ihave: [[0, [1, 2]]], prune: [0] },
  { t: ms(1200), e: "sample", n: 0, mesh: [2], scores: [1, 5] },
  { t: ms(2000), e: "publish", n: 0, m: 2, late: 300 },
  { t: ms(2030), e: "deliver", n: 1, p: 0, m: 2, v: 50 },
  { t: ms(8000), e: "deliver", n: 2, p: 0, m: 2, v: 50 },
  {
    t: ms(8100),
    e: "process",
    process: 0,
    nodes: [0, 1, 2, 3],
    cpuMs: 720,
    wallMs: 7200,
    rssBytes: 400e6,
    loopP99Ms: 3,
    loopMaxMs: 9,
    socketBytesIn: 5000,
    socketBytesOut: 6000,
    clockErrorMs: 0.05,
    lost: 0,
  },
  { t: ms(8100), e: "end" },
];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function reportOf(events: readonly TraceEvent[], tail = ""): Promise<Report> {
  const file = join(dir, "trace.ndjson");
  const lines = [HEADER, ...events].map((event) => JSON.stringify(event));
  await writeFile(file, `${lines.join("\n")}\n${tail}`);
  return (await analyse(await readTrace(file), PARAMS)).report;
}

describe("analysis", () => {
  it("computes each figure as it is defined", async () => {
    const report = await reportOf(EVENTS);
    expect(report).toMatchObject({
      partial: false,
      messages: 2,
      latencyMs: {
        fromPublish: { count: 4, min: 10, p50: 20, p99: 40, max: 40, mean: 25 },
        fromFirstReceipt: { count: 4, min: 0, max: 30 },
      },
      delivery: {
        pairs: 6,
        delivered: 4,
        late: 1,
        undecided: 0,
        ratio: 0.666667,
        bounds: { low: 0.666667, high: 0.666667 },
      },
      duplicates: { copies: 1, perDelivery: 0.2 },
      bytes: { payload: 5000, rpcOut: 1200, rpcIn: 1100, socketOut: 6000, rpcPerPayload: 0.24, socketPerPayload: 1.2 },
      control: { ihave: { count: 1, ids: 2 }, prune: { count: 1, ids: 0 }, graft: { count: 0 } },
      hops: { last: { count: 2, max: 3 }, histogram: [2, 1, 1] },
      timeToAllMs: { complete: 1, distribution: { max: 40 } },
      mesh: { min: 2, median: 2, max: 2 },
      scores: { min: 1, max: 5 },
      validationMs: { p50: 0.05, max: 0.07 },
      publishLateMs: { max: 0.3 },
      processes: [{ nodes: 4, loopP99Ms: 3, cpuPerNode: 0.025, rssBytesPerNode: 100e6 }],
      cpuMsPerDelivery: 144,
      clockErrorMs: 0.05,
    });
    // Of all pairs: two were never delivered.
    expect(report.latencyMs.cdf.at(-1)).toEqual([40, 0.666667]);
  });

  it("tells of links that nobody made, whichever end opened the others", async () => {
    const open = (n: number, p: number): TraceEvent => ({ t: 1, e: "open", n, p, proto: "/meshsub/1.2.0" });
    const file = join(dir, "links.ndjson");
    const lines = [HEADER, open(0, 1), open(2, 1), ...EVENTS].map((event) => JSON.stringify(event));
    await writeFile(file, lines.join("\n"));
    const links: Link[] = [
      [0, 1],
      [1, 2],
      [2, 3],
    ];
    const { report } = await analyse(await readTrace(file), PARAMS, links);
    expect(report.unmadeLinks).toBe(1);
    expect(reportNotes(report).join()).toContain("Links never made: 1.");
  });

  it("leaves undecided who was away, and bounds the ratio by it", async () => {
    const { delivery } = await reportOf([
      ...EVENTS.slice(0, 13),
      { t: ms(1500), e: "down", n: 3 },
      ...EVENTS.slice(13),
    ]);
    expect(delivery).toMatchObject({ undecided: 1, ratio: 0.8, bounds: { low: 0.666667, high: 0.833333 } });
  });

  it("leaves undecided what had time left when the run ended", async () => {
    const report = await reportOf(EVENTS.slice(0, 18));
    expect(report).toMatchObject({
      partial: true,
      delivery: { delivered: 4, undecided: 2, ratio: 1, bounds: { high: 1 } },
    });
    expect(reportNotes(report)[0]).toContain("interrupted");
  });

  it("does not count what a node delivers again after it came back", async () => {
    const again: TraceEvent = { t: ms(1500), e: "deliver", n: 1, p: 2, m: 1, v: 50 };
    const { delivery, hops } = await reportOf([...EVENTS.slice(0, 13), again, ...EVENTS.slice(13)]);
    expect(delivery.delivered).toBe(4);
    expect(hops.histogram).toEqual([2, 1, 1]);
  });

  it("reads a trace that is cut off in mid-line up to there, and says so", async () => {
    const report = await reportOf(EVENTS.slice(0, 13), '{"t":1041000,"e":"dupl');
    expect(report).toMatchObject({ partial: true, brokenAtLine: 15, delivery: { delivered: 3 } });
    expect(reportNotes(report)[0]).toContain("line 15");
  });

  it("refuses what is no trace", async () => {
    const file = join(dir, "other.ndjson");
    await writeFile(file, '{"hello": 1}\n');
    await expect(readTrace(file)).rejects.toMatchObject({ code: "TRACE_INVALID" });
    await expect(readTrace(join(dir, "absent"))).rejects.toMatchObject({ code: "TRACE_UNREADABLE" });
  });

  it("tables every figure of a run without deliveries, too", async () => {
    const report = await reportOf(EVENTS.slice(0, 4));
    expect(report.latencyMs.cdf).toEqual([]);
    expect(reportTable(report)).toContain("publish → deliver p50");
  });
});

describe("comparison", () => {
  const faster = (report: Report, factor: number): Report => ({
    ...report,
    latencyMs: {
      ...report.latencyMs,
      fromPublish: report.latencyMs.fromPublish && { ...report.latencyMs.fromPublish, p50: 20 * factor },
    },
  });
  const contender = (name: string, reports: Report[]): Contender => ({
    name,
    run: null,
    summary: summarize(reports, ""),
    cdfs: [],
  });
  const p50 = (...contenders: Contender[]) => compare(contenders).find(({ key }) => key === "latency_p50");

  it("calls a difference one where the intervals have nothing in common", async () => {
    const report = await reportOf(EVENTS);
    const slow = contender(
      "slow",
      [1, 1.1, 1.2].map((factor) => faster(report, factor)),
    );
    const quick = contender(
      "quick",
      [0.5, 0.6, 0.7].map((factor) => faster(report, factor)),
    );
    const mixed = contender(
      "mixed",
      [0.8, 0.9, 1.05].map((factor) => faster(report, factor)),
    );
    expect(p50(slow, quick, mixed)).toMatchObject({
      values: [{ value: 22, interval: { low: 20, high: 24 } }, { value: 12 }, { value: 18 }],
      judgements: [null, "better", "within noise"],
    });
    expect(p50(slow, quick)?.ratios[1]).toBeCloseTo(12 / 22);
    expect(p50(quick, slow)?.judgements[1]).toBe("worse");
  });

  it("names a run that is partial, and sums up the runs that a summary names alone", async () => {
    const report = await reportOf(EVENTS.slice(0, 18));
    const write = async (name: string, value: unknown) => {
      const path = join(dir, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, JSON.stringify(value));
    };
    for (const run of ["repeated/seed-1", "repeated/seed-2"]) {
      await write(`${run}/params.json`, { configHash: "0123", params: PARAMS });
      await write(`${run}/report.json`, report);
    }
    expect((await readContender(join(dir, "repeated/seed-1"), "one")).name).toBe("one (partial)");
    const summary = summarize([{ ...report, partial: false }], "0123");
    await writeSummary(join(dir, "repeated"), summary, [join(dir, "repeated/seed-2")]);
    expect(await readContender(join(dir, "repeated"))).toMatchObject({ summary, cdfs: [report.latencyMs.cdf] });
    await write("foreign/summary.json", { ...summary, dirs: [".."] });
    await expect(readContender(join(dir, "foreign"))).rejects.toMatchObject({ code: "RUN_UNREADABLE" });
  });

  it("knows nothing of a single run's noise but where the bootstrap says it", async () => {
    const report = await reportOf(EVENTS);
    const other = { ...report, duplicates: { copies: 9, perDelivery: 2.25 } };
    const compared = compare([contender("a", [report]), contender("b", [other])]);
    expect(compared.find(({ key }) => key === "duplicates")?.judgements[1]).toBe("unknown");
    expect(compared.find(({ key }) => key === "latency_p50")?.judgements[1]).toBe("within noise");
  });
});
