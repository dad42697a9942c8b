import type { EChartsOption } from "echarts";
import { describe, expect, it } from "vitest";
import { dashOf, numberText, timeText } from "../../../src/page/charts/chart.ts";
import {
  latencyBuckets,
  latencyBucketsTable,
  latencyCdf,
  latencyCdfTable,
  medianCdf,
} from "../../../src/page/charts/latency.ts";
import { networkLayout, timeLayout } from "../../../src/page/charts/layout.ts";
import { type Graph, networkGraph, networkMoment, wayTable } from "../../../src/page/charts/network.ts";
import { merged, resolved } from "../../../src/page/charts/options.ts";
import { latencyOverlay, type Ratios, ratioChart, ratioTable } from "../../../src/page/charts/overlay.ts";
import { deliveriesTimeline, linesOverTime, meshDegree, timelineTable } from "../../../src/page/charts/timeline.ts";
import { verdictsOverTime, verdictsTable } from "../../../src/page/charts/verdicts.ts";
import { render } from "./render.ts";

const HOSTILE = "<img src=x onerror=alert(1)>{a|b}";

const CDF = {
  series: [
    { name: "quick", points: [[1, 0.5] as const, [4, 1] as const] },
    { name: HOSTILE, points: [[2, 0.5] as const, [9, 0.75] as const] },
  ],
};
const BUCKETS = { series: [{ name: "one", upperMs: [1, 10, Number.POSITIVE_INFINITY], counts: [3, 2, 1] }] };
const LINES = {
  startMs: 500,
  binMs: 250,
  unit: "a second",
  series: [
    { name: "delivered", values: [1, null, 3] },
    { name: "published", values: [1, 1, 1] },
  ],
};
const VERDICTS = {
  startMs: 0,
  binMs: 1000,
  series: [
    { code: "ACCEPTED", result: "accept" as const, counts: [1, 2] },
    { code: "BAD_PROOF", result: "reject" as const, counts: [0, 3] },
    { code: "BAD_SNAPPY", result: "reject" as const, counts: [1] },
  ],
};
const RATIOS: Ratios = {
  names: ["after", HOSTILE],
  rows: [
    { metric: "p50", values: [{ ratio: 0.5, low: 0.4, high: 0.7, judgement: "better" }, null] },
    {
      metric: "p99",
      values: [
        { ratio: 3, low: 2, high: 4, judgement: "worse" },
        { ratio: 1, low: 1, high: 1, judgement: "within noise" },
      ],
    },
  ],
};

function graphOf(count: number): Graph {
  const nodes = Array.from({ length: count }, (_, k) => ({ id: `n${k}`, label: `node ${k}`, kind: "node" as const }));
  return {
    nodes,
    links: nodes.map(({ id }, k) => ({ source: id, target: `n${(k + 1) % count}`, kind: "mesh" as const })),
    way: {
      atMs: 5,
      reached: {
        n0: { atMs: 0, result: "formed" },
        n1: { atMs: 5, result: "accept" },
        n2: { atMs: 9, result: "reject" },
      },
      links: [
        { source: "n0", target: "n1", atMs: 5 },
        { source: "n1", target: "n2", atMs: 9 },
      ],
    },
  };
}

interface SeriesData {
  readonly id: string;
  readonly data: readonly { readonly name: string }[];
}

function dataOf({ series }: EChartsOption, id: string): readonly { readonly name: string }[] | undefined {
  return (series as unknown as SeriesData[]).find((one) => one.id === id)?.data;
}

it.each<[string, EChartsOption, string[]]>([
  ["latencyCdf", latencyCdf(CDF), ["100 %", "milliseconds", "quick"]],
  ["latencyCdf of nothing", latencyCdf({ series: [{ name: "none", points: [] }] }), ["milliseconds"]],
  ["latencyBuckets", latencyBuckets(BUCKETS), ["10", "more", "deliveries"]],
  ["deliveriesTimeline", deliveriesTimeline(LINES), ["a second", "delivered", "published"]],
  [
    "meshDegree under attack",
    meshDegree({ ...LINES, spans: [{ name: "flood", fromMs: 600, toMs: 900 }] }),
    ["seconds of the run", "flood"],
  ],
  ["linesOverTime", linesOverTime({ ...LINES, series: [] }), ["seconds of the run"]],
  ["verdictsOverTime", verdictsOverTime(VERDICTS), ["ACCEPTED", "BAD_PROOF", "BAD_SNAPPY"]],
  ["verdictsOverTime of nothing", verdictsOverTime({ startMs: 0, binMs: 1, series: [] }), ["verdicts"]],
  ["latencyOverlay", latencyOverlay({ contenders: [{ name: "a", cdfs: [[[1, 1]], [[3, 1]]] }] }), ["100 %"]],
  ["ratioChart", ratioChart(RATIOS), ["p50", "p99", "ratio over the first"]],
  ["networkGraph", networkGraph(graphOf(20)), ["node 0", "node 19", "accepted"]],
  ["networkGraph of nothing", networkGraph({ nodes: [], links: [] }), []],
])("%s: is drawn by the library without a complaint", (_name, option, texts) => {
  const rendering = render(option);
  expect(rendering.complaints).toEqual([]);
  expect(rendering.texts).toEqual(expect.arrayContaining(texts));
  // All colours are roles that the style sheet has.
  expect(rendering.svg).not.toContain('"--');
  expect(rendering.svg).not.toContain("<img");
});

it("tooltips: are text on the canvas, so that no name becomes HTML", () => {
  for (const option of [latencyCdf(CDF), ratioChart(RATIOS), networkGraph(graphOf(3)), verdictsOverTime(VERDICTS)]) {
    expect(option.tooltip).toMatchObject({ renderMode: "richText" });
  }
});

describe("tables", () => {
  it("tell when each share was delivered, and that some never were", () => {
    const { columns, rows } = latencyCdfTable(CDF);
    expect(columns).toEqual(["share of pairs", "quick (ms)", `${HOSTILE} (ms)`]);
    expect(rows.find(([share]) => share === "50 %")).toEqual(["50 %", 1, 2]);
    expect(rows.at(-1)).toEqual(["100 %", 4, null]);
  });

  it("tell what buckets, lines, verdicts and ratios do", () => {
    expect(latencyBucketsTable(BUCKETS).rows).toEqual([
      ["1", 3],
      ["10", 2],
      ["more", 1],
    ]);
    expect(timelineTable(LINES).rows[1]).toEqual(["0.75", null, 1]);
    expect(verdictsTable(VERDICTS)).toEqual({
      columns: ["from", "ACCEPTED (accept)", "BAD_PROOF (reject)", "BAD_SNAPPY (reject)"],
      rows: [
        ["0", 1, 0, 1],
        ["1", 2, 3, 0],
      ],
    });
    expect(ratioTable(RATIOS).rows[0]).toEqual(["p50", "0.5", "better", null, null]);
  });

  it("tell a message's way in order of time, all of it", () => {
    expect(wayTable(graphOf(4)).rows).toEqual([
      ["node 0", 0, null, "origin"],
      ["node 1", 5, "node 0", "accepted"],
      ["node 2", 9, "node 1", "rejected"],
    ]);
  });
});

describe("the network", () => {
  it("shows what each node has made of a message by the moment, and nothing later", () => {
    const option = networkGraph(graphOf(4));
    const names = (state: string) => dataOf(option, `nodes-${state}`)?.map(({ name }) => name);
    expect([names("formed"), names("accept"), names("reject"), names("waiting")]).toEqual([
      ["n0"],
      ["n1"],
      [],
      ["n2", "n3"],
    ]);
    expect(dataOf(option, "way")).toHaveLength(1);
  });

  it("moves on by a part that leaves the links alone", () => {
    const graph = graphOf(4);
    const later = networkMoment({ ...graph, way: { links: [], reached: {}, ...graph.way, atMs: 9 } });
    expect(dataOf(later, "links")).toBeUndefined();
    expect(dataOf(later, "nodes-reject")?.map(({ name }) => name)).toEqual(["n2"]);
    expect(render(networkGraph(graph), [later]).complaints).toEqual([]);
  });

  it("has a place for each node in the square, the same each time", () => {
    const links = Array.from({ length: 40 }, (_, k): [number, number] => [k, (k * 7 + 1) % 40]);
    const points = networkLayout(40, links);
    expect(networkLayout(40, links)).toEqual(points);
    expect(new Set(points.map(String)).size).toBe(40);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(1);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(1);
    }
    expect(networkLayout(2_000, [])).toHaveLength(2_000);
  });

  it("stands nodes as far from the publisher as the message took, and those it never reached on the rim", () => {
    const points = timeLayout(4, 1, [
      { node: 0, from: 1, ms: 5 },
      { node: 2, from: 0, ms: 10 },
    ]);
    const radii = points.map(([x, y]) => Math.hypot(x - 0.5, y - 0.5) * 2);
    expect(radii[1]).toBeCloseTo(0);
    expect((radii[2] ?? 0) / (radii[0] ?? 1)).toBeCloseTo(2);
    expect(radii[3]).toBeCloseTo(1);
  });
});

it("medianCdf: takes the middle of the runs at each share, as far as most of them came", () => {
  const runs = [[[1, 0.5] as const, [3, 1] as const], [[2, 0.5] as const, [9, 1] as const], [[4, 0.5] as const]];
  expect(medianCdf(runs)).toEqual([
    [2, 0.5],
    [6, 1],
  ]);
  expect(medianCdf([])).toEqual([]);
});

it("options: roles become colours everywhere but in data, and series are merged by their ids", () => {
  const option = { color: ["--accent"], series: [{ id: "a", type: "line" as const, data: ["--accent"] }] };
  const palette = new Map([["--accent", "blue"]]);
  expect(resolved(option, palette)).toEqual({
    color: ["blue"],
    series: [{ id: "a", type: "line", data: ["--accent"] }],
  });
  const update = { series: [{ id: "a", type: "line" as const, data: [1] }] };
  expect(merged({ ...option, series: [...option.series, { id: "b", type: "bar" }] }, update)).toEqual({
    color: ["--accent"],
    series: [
      { id: "b", type: "bar" },
      { id: "a", type: "line", data: [1] },
    ],
  });
});

it("texts: four digits, seconds of a run, or UTC", () => {
  expect([numberText(1234.5678), numberText(0.00123456), numberText(null)]).toEqual(["1235", "0.001235", "–"]);
  expect([timeText(1_500), timeText(1_700_000_000_000)]).toEqual(["1.5", "22:13:20"]);
  expect([0, 1, 2, 3].map(dashOf)).toEqual(["solid", "dashed", "dotted", "solid"]);
});

it("counts have ticks at whole numbers alone", () => {
  for (const option of [latencyBuckets(BUCKETS), verdictsOverTime(VERDICTS)]) {
    expect(render(option).texts.filter((text) => /^\d+\.\d+$/.test(text))).toEqual([]);
  }
});

it("a peer of a node is a ring, which shows what is behind it: the dark, too", () => {
  const graph: Graph = { nodes: [{ id: "a", label: "a", kind: "peer", x: 0.5, y: 0.5 }], links: [] };
  expect(render(networkGraph(graph)).svg).not.toMatch(/#fff\b|#ffffff|white/i);
});
