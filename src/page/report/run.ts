/** The charts of one run. */
import { type EChartsOption, numberText } from "../charts/chart.ts";
import { latencyBuckets, latencyBucketsTable, latencyCdf, latencyCdfTable } from "../charts/latency.ts";
import {
  deliveriesTimeline,
  linesOverTime,
  meshDegree,
  type Timeline,
  type TimeSeries,
  timelineTable,
} from "../charts/timeline.ts";
import { verdictsOverTime, verdictsTable } from "../charts/verdicts.ts";
import type { Cdf, RunPage, RunPicture } from "./data.ts";
import { addChart } from "./section.ts";
import { addWayPlayer } from "./way_player.ts";

export function showRun(parent: HTMLElement, page: RunPage): void {
  addLatency(parent, page);
  addHistogram(parent, page.picture);
  addWayPlayer(parent, page);
  addTimelines(parent, page.picture.time);
  addVerdicts(parent, page.picture.time);
}

function addLatency(parent: HTMLElement, { cdf, picture }: RunPage): void {
  const latencies = {
    series: [
      { name: "from publishing", points: cdf },
      { name: "from first receipt", points: picture.firstReceiptCdf },
    ],
  };
  addChart(parent, {
    title: "Latency",
    description: latencyText(cdf),
    option: latencyCdf(latencies),
    table: () => latencyCdfTable(latencies),
  });
}

function addHistogram(parent: HTMLElement, { histogram }: RunPicture): void {
  const upperMs = histogram.upperMs.map((bound) => bound ?? Number.POSITIVE_INFINITY);
  const buckets = { series: [{ name: "deliveries", upperMs, counts: histogram.counts }] };
  addChart(parent, {
    title: "Deliveries by latency",
    description:
      "How many deliveries took how long since publishing; what took longer than 99 % of them is in the last bar.",
    option: latencyBuckets(buckets),
    table: () => latencyBucketsTable(buckets),
  });
}

function addTimelines(parent: HTMLElement, time: RunPicture["time"]): void {
  const add = (
    title: string,
    description: string,
    unit: string,
    draw: (timeline: Timeline) => EChartsOption,
    series: readonly TimeSeries[],
  ) => {
    const timeline = { startMs: 0, binMs: time.binMs, unit, series, spans: time.attacks };
    addChart(parent, { title, description, option: draw(timeline), table: () => timelineTable(timeline) });
  };
  const attacked = time.attacks.length === 0 ? "" : " Attacks are shaded.";
  add(
    "Deliveries over time",
    `Deliveries and publications a second, in bins of ${numberText(time.binMs / 1000)} s.${attacked}`,
    "a second",
    deliveriesTimeline,
    [
      { name: "deliveries", values: time.deliveredPerSecond },
      { name: "publications", values: time.publishedPerSecond },
    ],
  );
  add(
    "Latency over time",
    "From publishing to delivery, of the messages published in each bin: half of the deliveries, and 99 %.",
    "milliseconds",
    linesOverTime,
    [
      { name: "p50", values: time.p50Ms },
      { name: "p99", values: time.p99Ms },
    ],
  );
  add(
    "Mesh degree",
    "Sizes of the nodes' meshes: the median, the smallest and the largest.",
    "peers in the mesh",
    meshDegree,
    [
      { name: "median", values: time.mesh.median },
      { name: "smallest", values: time.mesh.min },
      { name: "largest", values: time.mesh.max },
    ],
  );
  add("Duplicates", "Copies after the first, over deliveries.", "duplicates per delivery", linesOverTime, [
    { name: "duplicates per delivery", values: time.duplicatesPerDelivery },
  ]);
}

function addVerdicts(parent: HTMLElement, { binMs, verdicts }: RunPicture["time"]): void {
  // Where nothing was refused, the deliveries say the same.
  if (verdicts.length < 2) return;
  const counts = { startMs: 0, binMs, series: verdicts };
  addChart(parent, {
    title: "Verdicts",
    description: "What the nodes made of the messages, over time.",
    option: verdictsOverTime(counts),
    table: () => verdictsTable(counts),
  });
}

function latencyText(cdf: Cdf): string {
  const at = (share: number) => cdf.find(([, reached]) => reached >= share)?.[0];
  const told = (
    [
      [0.5, "Half"],
      [0.99, "99 %"],
    ] as const
  ).flatMap(([share, name]) => {
    const ms = at(share);
    return ms === undefined ? [] : [`${name} of all pairs within ${numberText(ms)} ms`];
  });
  const [lastMs = null, share = 0] = cdf.at(-1) ?? [];
  return lastMs === null
    ? "Nothing was delivered."
    : `${[...told, `${numberText(share * 100)} % within ${numberText(lastMs)} ms`].join(", ")}.`;
}
