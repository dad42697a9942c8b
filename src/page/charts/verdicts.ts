/** Verdicts by their code, over time. */
import { countAxis, type DataTable, type EChartsOption, GRID, LEGEND, TOOLTIP, timeText } from "./chart.ts";

export type VerdictResult = "accept" | "ignore" | "reject";

export interface VerdictCounts {
  /** Milliseconds of the first bin: Unix time, or of a run. */
  readonly startMs: number;
  readonly binMs: number;
  readonly series: readonly {
    readonly code: string;
    readonly result: VerdictResult;
    readonly counts: readonly number[];
  }[];
}

/** Codes of one result are told apart by shade and pattern. */
const SHADES = [1, 0.75, 0.5, 0.35] as const;
const DECALS = ["none", "rect", "triangle", "circle", "diamond"] as const;

/** Stacked bars in the colours of their results. */
export function verdictsOverTime({ startMs, binMs, series }: VerdictCounts): EChartsOption {
  const bins = Math.max(0, ...series.map(({ counts }) => counts.length));
  const seen = { accept: 0, ignore: 0, reject: 0 };
  return {
    grid: GRID,
    legend: LEGEND,
    tooltip: { ...TOOLTIP, trigger: "axis", axisPointer: { type: "shadow" } },
    xAxis: {
      type: "category",
      name: startMs > 1e11 ? "time (UTC)" : "seconds of the run",
      nameLocation: "middle",
      nameGap: 32,
      data: Array.from({ length: bins }, (_, k) => timeText(startMs + k * binMs)),
      axisLabel: { hideOverlap: true },
    },
    yAxis: countAxis("verdicts"),
    series: series.map(({ code, result, counts }) => {
      const rank = seen[result]++;
      const symbol = DECALS[rank % DECALS.length] ?? "none";
      return {
        type: "bar",
        id: `verdict-${code}`,
        name: code,
        stack: "verdicts",
        barCategoryGap: "10%",
        itemStyle: {
          color: `--${result}`,
          opacity: SHADES[rank % SHADES.length] ?? 1,
          decal: { symbol, symbolSize: 0.6, color: "--surface" },
        },
        data: [...counts],
      };
    }),
  };
}

export function verdictsTable({ startMs, binMs, series }: VerdictCounts): DataTable {
  const bins = Math.max(0, ...series.map(({ counts }) => counts.length));
  return {
    columns: ["from", ...series.map(({ code, result }) => `${code} (${result})`)],
    rows: Array.from({ length: bins }, (_, k) => [
      timeText(startMs + k * binMs),
      ...series.map(({ counts }) => counts[k] ?? 0),
    ]),
  };
}
