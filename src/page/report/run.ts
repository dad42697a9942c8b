/** The charts of one run. */
import { numberText } from "../charts/chart.ts";
import { latencyBuckets, latencyBucketsTable, latencyCdf, latencyCdfTable } from "../charts/latency.ts";
import { deliveriesTimeline, duplicatesTimeline, meshDegree, timelineTable } from "../charts/timeline.ts";
import { verdictsOverTime, verdictsTable } from "../charts/verdicts.ts";
import type { Cdf, RunPage } from "./data.ts";
import { addChart } from "./section.ts";
import { addWayPlayer } from "./way_player.ts";

export function showRun(parent: HTMLElement, page: RunPage): void {
  const { cdf, picture } = page;
  const { time, histogram } = picture;
  const { binMs } = time;

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

  const buckets = {
    series: [
      {
        name: "deliveries",
        upperMs: histogram.upperMs.map((bound) => bound ?? Number.POSITIVE_INFINITY),
        counts: histogram.counts,
      },
    ],
  };
  addChart(parent, {
    title: "Deliveries by latency",
    description:
      "How many deliveries took how long since publishing; what took longer than 99 % of them is in the last bar.",
    option: latencyBuckets(buckets),
    table: () => latencyBucketsTable(buckets),
  });

  addWayPlayer(parent, page);

  const lines = (unit: string, series: { name: string; values: readonly (number | null)[] }[]) => ({
    startMs: 0,
    binMs,
    unit,
    series,
    spans: time.attacks,
  });
  const attacked = time.attacks.length === 0 ? "" : " Attacks are shaded.";
  const deliveries = lines("a second", [
    { name: "deliveries", values: time.deliveredPerSecond },
    { name: "publications", values: time.publishedPerSecond },
  ]);
  addChart(parent, {
    title: "Deliveries over time",
    description: `Deliveries and publications a second, in bins of ${numberText(binMs / 1000)} s.${attacked}`,
    option: deliveriesTimeline(deliveries),
    table: () => timelineTable(deliveries),
  });

  const latencyLines = lines("milliseconds", [
    { name: "p50", values: time.p50Ms },
    { name: "p99", values: time.p99Ms },
  ]);
  addChart(parent, {
    title: "Latency over time",
    description:
      "From publishing to delivery, of the messages published in each bin: half of the deliveries, and 99 %.",
    option: duplicatesTimeline(latencyLines),
    table: () => timelineTable(latencyLines),
  });

  const mesh = lines("peers in the mesh", [
    { name: "median", values: time.mesh.median },
    { name: "smallest", values: time.mesh.min },
    { name: "largest", values: time.mesh.max },
  ]);
  addChart(parent, {
    title: "Mesh degree",
    description: "Sizes of the nodes' meshes: the median, the smallest and the largest.",
    option: meshDegree(mesh),
    table: () => timelineTable(mesh),
  });

  const duplicates = lines("duplicates per delivery", [
    { name: "duplicates per delivery", values: time.duplicatesPerDelivery },
  ]);
  addChart(parent, {
    title: "Duplicates",
    description: "Copies after the first, over deliveries.",
    option: duplicatesTimeline(duplicates),
    table: () => timelineTable(duplicates),
  });

  const verdicts = { startMs: 0, binMs, series: time.verdicts };
  // Where nothing was refused, the deliveries say the same.
  if (time.verdicts.length > 1) {
    addChart(parent, {
      title: "Verdicts",
      description: "What the nodes made of the messages, over time.",
      option: verdictsOverTime(verdicts),
      table: () => verdictsTable(verdicts),
    });
  }
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
