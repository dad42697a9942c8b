/** What is done with options before they are drawn. */
import type { EChartsOption } from "./chart.ts";

/** Of colours: custom properties of the style sheet, without their dashes. */
export const ROLES = [
  ...["bg", "surface", "text", "muted", "border", "accent", "accept", "ignore", "reject", "formed"],
  ...[1, 2, 3, 4, 5, 6].map((k) => `series-${k}`),
] as const;

/** From roles, dashes included, to colours. */
export type Palette = ReadonlyMap<string, string>;

/** Roles to colours, everywhere but in `data`, which is long and names none. */
export function resolved(option: EChartsOption, palette: Palette): EChartsOption {
  return withColours(option, palette) as EChartsOption;
}

function withColours(value: unknown, palette: Palette): unknown {
  if (typeof value === "string") return value.startsWith("--") ? (palette.get(value) ?? value) : value;
  if (Array.isArray(value)) return value.map((one) => withColours(one, palette));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, key === "data" ? one : withColours(one, palette)]),
  );
}

type SeriesList = readonly { readonly id?: unknown }[];

/** `part` over `before`; series by their ids. */
export function merged(before: EChartsOption, part: EChartsOption): EChartsOption {
  const [old, fresh] = [seriesOf(before), seriesOf(part)];
  const ids = new Set(fresh.map(({ id }) => id));
  return {
    ...before,
    ...part,
    series: [...old.filter(({ id }) => !ids.has(id)), ...fresh] as EChartsOption["series"] & [],
  };
}

function seriesOf({ series }: EChartsOption): SeriesList {
  return (Array.isArray(series) ? series : series === undefined ? [] : [series]) as SeriesList;
}
