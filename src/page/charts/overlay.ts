/** Several runs over each other: latency with each run's own curve, and the ratios of figures with their intervals. */
import {
  type DataTable,
  type EChartsOption,
  LEGEND,
  numberText,
  type Point,
  seriesColour,
  TOOLTIP,
  valueAxis,
} from "./chart.ts";
import { latencyCdf, medianCdf } from "./latency.ts";

export interface Contender {
  readonly name: string;
  /** Distribution functions, one a run. */
  readonly cdfs: readonly (readonly Point[])[];
}

/** Curves of one contender's runs; more would hide each other. */
const MAX_CURVES = 20;

/** A thick curve in the middle of each contender's runs, and its runs as thin ones. */
export function latencyOverlay({ contenders }: { readonly contenders: readonly Contender[] }): EChartsOption {
  return latencyCdf({
    series: contenders.map(({ name, cdfs }) => ({
      name,
      points: medianCdf(cdfs),
      runs: cdfs.length > 1 ? cdfs.slice(0, MAX_CURVES) : [],
    })),
  });
}

export interface Ratio {
  readonly metric: string;
  /** One a contender after the first: over the first's value; null where it cannot be told. */
  readonly values: readonly ({
    readonly ratio: number;
    readonly low: number;
    readonly high: number;
    readonly judgement: string;
  } | null)[];
}

export interface Ratios {
  /** Without the first, which the others are compared with. */
  readonly names: readonly string[];
  readonly rows: readonly Ratio[];
}

/** A dot for each ratio, a bar for its interval, and a line where nothing differs. */
export function ratioChart({ names, rows }: Ratios): EChartsOption {
  const highs = rows.flatMap(({ values }) => values.map((value) => value?.high ?? 0));
  return {
    grid: { left: 210, right: 24, top: 40, bottom: 52 },
    legend: { show: names.length > 1, ...LEGEND, data: [...names] },
    tooltip: { ...TOOLTIP, trigger: "item" },
    xAxis: { ...valueAxis("ratio over the first"), min: 0, max: Math.ceil(Math.max(1.2, ...highs) * 10.5) / 10 },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map(({ metric }) => metric),
      axisLabel: { interval: 0, width: 190, overflow: "truncate" },
      splitLine: { show: true },
    },
    series: names.flatMap((name, k) => [
      {
        type: "lines" as const,
        id: `interval-${k}`,
        name,
        coordinateSystem: "cartesian2d",
        silent: true,
        lineStyle: { color: seriesColour(k + 1), width: 4, opacity: 0.4 },
        data: rows.flatMap(({ values }, row) => {
          const value = values[k];
          return value == null
            ? []
            : [
                {
                  coords: [
                    [value.low, row],
                    [value.high, row],
                  ],
                },
              ];
        }),
      },
      {
        type: "scatter" as const,
        id: `ratio-${k}`,
        name,
        symbolSize: 10,
        itemStyle: { color: seriesColour(k + 1) },
        tooltip: { formatter: ({ data }: { data?: unknown }) => (data as { tip: string }).tip },
        ...(k === 0
          ? {
              markLine: {
                silent: true,
                symbol: "none",
                label: { show: false },
                lineStyle: { color: "--text", type: "solid" as const, width: 1 },
                data: [{ xAxis: 1 }],
              },
            }
          : {}),
        data: rows.flatMap(({ metric, values }, row) => {
          const value = values[k];
          if (value == null) return [];
          const tip = `${metric}\n${name}: ${numberText(value.ratio)}× ${value.judgement}`;
          return [{ name: metric, value: [value.ratio, row], tip }];
        }),
      },
    ]),
  };
}

export function ratioTable({ names, rows }: Ratios): DataTable {
  return {
    columns: ["figure", ...names.flatMap((name) => [`${name}, ratio`, "difference"])],
    rows: rows.map(({ metric, values }) => [
      metric,
      ...values.flatMap((value) => (value === null ? [null, null] : [numberText(value.ratio), value.judgement])),
    ]),
  };
}
