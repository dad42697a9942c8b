import { expect, it } from "vitest";
import type { Contender } from "../../../src/lab/measure/compare.ts";
import { definitionOf } from "../../../src/lab/measure/definitions.ts";
import { formatValue, METRICS } from "../../../src/lab/measure/metrics.ts";
import { PictureNotes } from "../../../src/lab/measure/picture.ts";
import { compareHtml, reportHtml } from "../../../src/lab/measure/report_html.ts";
import { summarize } from "../../../src/lab/measure/summary.ts";
import type { TraceEvent } from "../../../src/lab/measure/trace.ts";
import type { PageData } from "../../../src/page/report/data.ts";
import { makeReportPage } from "../../page/report/fixture.ts";
import { PARAMS } from "./fixture.ts";

const HOSTILE = '</script><script>document.title="taken"</script><img src=x onerror=alert(1)>\u2028--accept';

const pageOf = (nodes: number, messages: number) =>
  makeReportPage({ nodes, messages }, PARAMS, `msgbus measure --topology ${HOSTILE}`);

function dataOf(html: string): PageData {
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? "null");
}

it("report.html: tells every figure of the report, and what it means", async () => {
  const page = await pageOf(4, 10);
  const html = reportHtml(page);
  for (const { key, label, unit, value } of METRICS) {
    expect(html).toContain(label);
    expect(html).toContain(`<td class="number">${formatValue(value(page.report), unit)}</td>`);
    expect(definitionOf(key), key).not.toBeNull();
  }
  expect(html).toContain("config 0123, seed 1");
});

it("report.html: asks nobody for anything, and runs nothing that a name holds", async () => {
  const page = await pageOf(3, 2);
  const html = reportHtml({ ...page, nodes: [HOSTILE, "b", "c"] });
  expect(html).toContain("default-src 'none'");
  expect(html).not.toContain(HOSTILE);
  expect(html.match(/<script/g)).toHaveLength(3);
  expect(html.match(/<\/script>/g)).toHaveLength(3);
  const data = dataOf(html);
  expect(data.kind === "run" && data.nodes[0]).toBe(HOSTILE);
});

it("report.html: holds what its charts show", async () => {
  const { picture } = await pageOf(3, 50);
  // 50 messages in half a second, each with two deliveries: after 1 and after 2 ms.
  expect(picture.firstReceiptCdf.at(-1)).toEqual([1, 1]);
  expect(picture.histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(100);
  const { binMs, deliveredPerSecond, publishedPerSecond, p50Ms } = picture.time;
  expect(deliveredPerSecond.reduce((sum, rate) => sum + (rate * binMs) / 1000, 0)).toBeCloseTo(100);
  expect(publishedPerSecond.reduce((sum, rate) => sum + (rate * binMs) / 1000, 0)).toBeCloseTo(50);
  expect(p50Ms[0]).toBe(1);
  expect(picture.ways[7]).toEqual({ message: 7, publisher: 1, atMs: 70, deliveries: [2, 1, 1000, 0, 2, 2000] });
});

it("report.html: has curves that pass through the quantiles that its tables tell", async () => {
  const { report } = await pageOf(20, 60);
  const { fromPublish, cdf } = report.latencyMs;
  const at = (wanted: number) => cdf.find(([, share]) => share >= wanted)?.[0];
  expect([at(0.5), at(0.9), at(0.95), at(0.99), at(1)]).toEqual([
    fromPublish?.p50,
    fromPublish?.p90,
    fromPublish?.p95,
    fromPublish?.p99,
    fromPublish?.max,
  ]);
});

it("report.html: shades the time of attacks, of one that the run's end cut off, too", () => {
  const notes = new PictureNotes();
  const events: TraceEvent[] = [
    { t: 1_000, e: "start" },
    { t: 501_000, e: "attack", n: 0, name: "flood" },
    {
      t: 901_000,
      e: "attacked",
      n: 0,
      name: "flood",
      identities: 1,
      rpcs: 1,
      messages: 1,
      bytes: 1,
      hungUp: 0,
      skipped: null,
      faults: [],
    },
    { t: 951_000, e: "attack", n: 0, name: "mimic" },
    { t: 1_001_000, e: "end" },
  ];
  for (const event of events) notes.take(event, false);
  expect(notes.picture([], 0).time.attacks).toEqual([
    { name: "flood", fromMs: 500, toMs: 900 },
    { name: "mimic", fromMs: 950, toMs: 1_000 },
  ]);
});

it("report.html: stays below 5 MB for 1,000 nodes and 1,000 messages, with the slowest message in it", async () => {
  const nodes = 1_000;
  const messages = Array.from({ length: 1_000 }, (_, index) => ({
    index,
    t: index * 100_000,
    publisher: index % nodes,
    deliveries: Array.from({ length: nodes - 1 }, (_, k) => ({
      t: index * 100_000 + (k + 1) * (index === 333 ? 1_000 : 900),
      node: (index + k + 1) % nodes,
      from: (index + k) % nodes,
    })),
  }));
  const picture = new PictureNotes().picture(messages, messages.length * (nodes - 1));
  expect(picture.ways.map(({ message }) => message)).toContain(333);
  expect(picture.ways.length).toBe(100);
  const links = Array.from({ length: 8_000 }, (_, k): [number, number] => [k % nodes, (k * 7 + 1) % nodes]);
  const page = await pageOf(3, 2);
  const ids = messages.map(({ index }) => `16Uiu2HAm${String(index).padStart(44, "x")}`);
  expect(reportHtml({ ...page, picture, nodes: ids, run: { ...page.run, links } }).length).toBeLessThan(5_000_000);
});

it("compare.html: puts contenders side by side, with the curve of each run", async () => {
  const { report } = await pageOf(4, 10);
  const contender = (name: string): Contender => ({
    name,
    run: null,
    summary: summarize([report], "0123"),
    cdfs: [report.latencyMs.cdf],
  });
  const html = compareHtml([contender("before"), contender(HOSTILE)]);
  expect(html).not.toContain(HOSTILE);
  expect(html.match(/<td class="muted">within noise<\/td>/g)?.length).toBeGreaterThan(5);
  const data = dataOf(html);
  expect(data.kind === "compare" && data.contenders.map(({ name, cdfs }) => [name, cdfs.length])).toEqual([
    ["before", 1],
    [HOSTILE, 1],
  ]);
});
