/**
 * What the charts share. Colours are named by their role, as custom properties of the style sheet (`--accept`): `mount`
 * puts in what they are in the theme of the moment, everywhere but in `data`. Tooltips are text on the canvas, never HTML:
 * names come from strangers, and a page's policy forbids inline styles.
 */
import type { EChartsOption } from "echarts";

export type { EChartsOption };

/** Beside each chart for those who cannot see it. */
export interface DataTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** Of a line: x and y. */
export type Point = readonly [number, number];

const SERIES_COLOURS = 6;
/** Lines of one chart differ in more than their colour. */
const DASHES = ["solid", "dashed", "dotted"] as const;

export function seriesColour(index: number): string {
  return `--series-${(index % SERIES_COLOURS) + 1}`;
}

/** A dash for each round of colours, and for each line of the first round, too. */
export function dashOf(index: number): (typeof DASHES)[number] {
  return DASHES[index % DASHES.length] ?? "solid";
}

export const TOOLTIP = { renderMode: "richText", confine: true } as const;

/** Above the chart; it turns pages where it is long. */
export const LEGEND = { type: "scroll", top: 4 } as const;

export const GRID = { left: 64, right: 24, top: 40, bottom: 52 } as const;

/** Four digits, as many as a run can tell; – for none. */
export function numberText(value: unknown): string {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** With its name in the middle below, or beside. */
export function valueAxis(name: string, nameGap = 32) {
  return {
    type: "value",
    name,
    nameLocation: "middle",
    nameGap,
    axisLabel: { hideOverlap: true },
  } as const;
}

/** Of things that are counted: no tick between two whole numbers. */
export function countAxis(name: string) {
  return { ...valueAxis(name, 48), minInterval: 1 } as const;
}

/** Unix milliseconds as UTC; smaller numbers as seconds since a run's beginning. */
export function timeText(ms: number): string {
  return ms > 1e11 ? new Date(ms).toISOString().slice(11, 19) : numberText(ms / 1000);
}
