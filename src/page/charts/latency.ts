/** How long messages take: the distribution function, and bars by bucket. */
import {
  countAxis,
  type DataTable,
  dashOf,
  type EChartsOption,
  GRID,
  LEGEND,
  numberText,
  type Point,
  seriesColour,
  TOOLTIP,
  valueAxis,
} from "./chart.ts";

export interface CdfSeries {
  readonly name: string;
  /** Milliseconds, and the share of all pairs that were delivered by then; ascending. */
  readonly points: readonly Point[];
  /** The same of each run by itself, drawn thin: how far runs of one configuration differ. */
  readonly runs?: readonly (readonly Point[])[];
}

/** Shares that a table tells. */
export const TABLE_SHARES = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1] as const;

export function latencyCdf({ series }: { readonly series: readonly CdfSeries[] }): EChartsOption {
  const maxShare = 1;
  return {
    grid: GRID,
    legend: { show: series.length > 1, ...LEGEND, data: series.map(({ name }) => name) },
    tooltip: { ...TOOLTIP, trigger: "axis", axisPointer: { type: "line" }, valueFormatter: percentText },
    xAxis: { ...valueAxis("milliseconds"), min: 0 },
    yAxis: {
      ...valueAxis("share of pairs delivered", 48),
      min: 0,
      max: maxShare,
      axisLabel: { formatter: (share: number) => `${Math.round(share * 100)} %` },
    },
    series: series.flatMap(({ name, points, runs = [] }, index) => [
      ...runs.map((run, k) => ({
        ...stepLine(`cdf-${index}-${k}`, name, run, index),
        lineStyle: { width: 1, opacity: 0.35, color: seriesColour(index) },
        silent: true,
        tooltip: { show: false },
      })),
      {
        ...stepLine(`cdf-${index}`, name, points, index),
        lineStyle: { width: 2, color: seriesColour(index), type: dashOf(index) },
      },
    ]),
  };
}

function stepLine(id: string, name: string, points: readonly Point[], index: number) {
  return {
    type: "line" as const,
    id,
    name,
    step: "end" as const,
    showSymbol: false,
    itemStyle: { color: seriesColour(index) },
    data: [[0, 0], ...points].map(([ms = 0, share = 0]) => [ms, share]),
  };
}

function percentText(value: unknown): string {
  return typeof value === "number" ? `${numberText(value * 100)} %` : "–";
}

/** By which share of pairs was delivered when: a row a share, a column a series. */
export function latencyCdfTable({ series }: { readonly series: readonly CdfSeries[] }): DataTable {
  return {
    columns: ["share of pairs", ...series.map(({ name }) => `${name} (ms)`)],
    rows: TABLE_SHARES.map((share) => [
      percentText(share),
      ...series.map(({ points }) => points.find(([, reached]) => reached >= share)?.[0] ?? null),
    ]),
  };
}

/** The curve in the middle of several runs': at each share, the median of the milliseconds. All have points at all shares. */
export function medianCdf(runs: readonly (readonly Point[])[]): Point[] {
  const [first = []] = runs;
  if (runs.length === 1) return [...first];
  const shares = [...new Set(runs.flatMap((run) => run.map(([, share]) => share)))].sort((a, b) => a - b);
  const cursors = runs.map(() => 0);
  const points: Point[] = [];
  for (const share of shares) {
    const reached = runs.flatMap((run, k) => {
      while ((run[cursors[k] ?? 0]?.[1] ?? 1) < share && (cursors[k] ?? 0) < run.length)
        cursors[k] = (cursors[k] ?? 0) + 1;
      const point = run[cursors[k] ?? 0];
      return point === undefined ? [] : [point[0]];
    });
    // Runs that never came so far have no latency there: neither has their middle.
    if (reached.length <= runs.length / 2) break;
    reached.sort((a, b) => a - b);
    const high = reached[Math.floor(reached.length / 2)] ?? 0;
    const low = reached[Math.ceil(reached.length / 2) - 1] ?? 0;
    points.push([(low + high) / 2, share]);
  }
  return points;
}

export interface BucketSeries {
  readonly name: string;
  /** Upper bounds in milliseconds, ascending; the last may be Infinity. */
  readonly upperMs: readonly number[];
  readonly counts: readonly number[];
}

export interface LatencyBuckets {
  /** With the same bounds. */
  readonly series: readonly BucketSeries[];
  /** What the bars count; deliveries where nothing is said. */
  readonly counted?: string;
}

export function latencyBuckets({ series, counted = "deliveries" }: LatencyBuckets): EChartsOption {
  return {
    grid: GRID,
    legend: { show: series.length > 1, ...LEGEND },
    tooltip: { ...TOOLTIP, trigger: "axis", axisPointer: { type: "shadow" } },
    xAxis: {
      type: "category",
      name: "milliseconds, up to",
      nameLocation: "middle",
      nameGap: 32,
      data: (series[0]?.upperMs ?? []).map(boundText),
      axisLabel: { hideOverlap: true },
    },
    yAxis: countAxis(counted),
    series: series.map(({ name, counts }, index) => ({
      type: "bar",
      id: `bucket-${index}`,
      name,
      itemStyle: { color: seriesColour(index) },
      data: [...counts],
    })),
  };
}

function boundText(upperMs: number): string {
  return upperMs === Number.POSITIVE_INFINITY ? "more" : numberText(upperMs);
}

export function latencyBucketsTable({ series }: LatencyBuckets): DataTable {
  return {
    columns: ["up to (ms)", ...series.map(({ name }) => name)],
    rows: (series[0]?.upperMs ?? []).map((upperMs, k) => [
      boundText(upperMs),
      ...series.map(({ counts }) => counts[k] ?? 0),
    ]),
  };
}
