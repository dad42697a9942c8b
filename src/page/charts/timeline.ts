/** What changes over the time of a run, bin by bin. */
import {
  type DataTable,
  dashOf,
  type EChartsOption,
  GRID,
  LEGEND,
  seriesColour,
  TOOLTIP,
  timeText,
  valueAxis,
} from "./chart.ts";

export interface TimeSeries {
  readonly name: string;
  /** One a bin; null where there is nothing to tell. */
  readonly values: readonly (number | null)[];
}

export interface Timeline {
  readonly startMs: number;
  readonly binMs: number;
  readonly unit: string;
  readonly series: readonly TimeSeries[];
  /** Shaded, and named. */
  readonly spans?: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[];
}

/** Deliveries, publications: an area for the first series, lines for the others. */
export function deliveriesTimeline(timeline: Timeline): EChartsOption {
  return linesOf(timeline, (index) => (index === 0 ? { areaStyle: { opacity: 0.2 } } : {}));
}

/** Smallest, median and largest size of the nodes' meshes, in this order. */
export function meshDegree(timeline: Timeline): EChartsOption {
  return linesOf(timeline, () => ({ step: "end" as const }));
}

/** Latency, duplicates per delivery. */
export function linesOverTime(timeline: Timeline): EChartsOption {
  return linesOf(timeline, () => ({}));
}

function linesOf(
  { startMs, binMs, unit, series, spans = [] }: Timeline,
  style: (index: number) => object,
): EChartsOption {
  return {
    grid: GRID,
    legend: { show: series.length > 1, ...LEGEND },
    tooltip: { ...TOOLTIP, trigger: "axis" },
    xAxis: { ...valueAxis("seconds of the run"), min: "dataMin", max: "dataMax" },
    yAxis: { ...valueAxis(unit, 48), min: 0 },
    series: series.map(({ name, values }, index) => ({
      type: "line",
      id: `time-${index}`,
      name,
      showSymbol: false,
      connectNulls: true,
      itemStyle: { color: seriesColour(index) },
      lineStyle: { width: 2, color: seriesColour(index), type: dashOf(index) },
      ...style(index),
      ...(index === 0 && spans.length > 0 ? { markArea: markAreaOf(spans) } : {}),
      data: values.map((value, k) => [(startMs + k * binMs) / 1000, value]),
    })),
  };
}

function markAreaOf(spans: NonNullable<Timeline["spans"]>) {
  return {
    silent: true,
    itemStyle: { color: "--reject", opacity: 0.12 },
    label: { color: "--reject", fontSize: 11 },
    data: spans.map(({ name, fromMs, toMs }): [object, object] => [
      { name, xAxis: fromMs / 1000 },
      { xAxis: toMs / 1000 },
    ]),
  };
}

export function timelineTable({ startMs, binMs, unit, series }: Timeline): DataTable {
  return {
    columns: ["from (s)", ...series.map(({ name }) => (unit === "" ? name : `${name} (${unit})`))],
    rows: (series[0]?.values ?? []).map((_, k) => [
      timeText(startMs + k * binMs),
      ...series.map(({ values }) => values[k] ?? null),
    ]),
  };
}
