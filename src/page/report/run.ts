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
  const { binMs, attacks: spans } = time;
  for (const { title, description, unit, draw, series } of timelinesOf(time)) {
    const timeline = { startMs: 0, binMs, unit, series, spans };
    addChart(parent, { title, description, option: draw(timeline), table: () => timelineTable(timeline) });
  }
}

interface TimelineOfRun {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly series: readonly TimeSeries[];
  draw(timeline: Timeline): EChartsOption;
}

function timelinesOf(time: RunPicture["time"]): TimelineOfRun[] {
  const series = (values: Readonly<Record<string, TimeSeries["values"]>>): TimeSeries[] =>
    Object.entries(values).map(([name, list]) => ({ name, values: list }));
  const attacked = time.attacks.length === 0 ? "" : " Attacks are shaded.";
  return [
    {
      title: "Deliveries over time",
      description: `Deliveries and publications a second, in bins of ${numberText(time.binMs / 1000)} s.${attacked}`,
      unit: "a second",
      series: series({ deliveries: time.deliveredPerSecond, publications: time.publishedPerSecond }),
      draw: deliveriesTimeline,
    },
    {
      title: "Latency over time",
      description:
        "From publishing to delivery, of the messages published in each bin: half of the deliveries, and 99 %.",
      unit: "milliseconds",
      series: series({ p50: time.p50Ms, p99: time.p99Ms }),
      draw: linesOverTime,
    },
    {
      title: "Mesh degree",
      description: "Sizes of the nodes' meshes: the median, the smallest and the largest.",
      unit: "peers in the mesh",
      series: series({ median: time.mesh.median, smallest: time.mesh.min, largest: time.mesh.max }),
      draw: meshDegree,
    },
    {
      title: "Duplicates",
      description: "Copies after the first, over deliveries.",
      unit: "duplicates per delivery",
      series: series({ "duplicates per delivery": time.duplicatesPerDelivery }),
      draw: linesOverTime,
    },
  ];
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
