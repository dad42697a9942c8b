import type { DataTable, EChartsOption } from "../charts/chart.ts";
import { dataTable } from "../charts/data_table.ts";
import { type MountedChart, mount } from "../charts/mount.ts";

export interface ChartSection {
  readonly title: string;
  /** What the chart shows, in a sentence: under it, and to those who cannot see it. */
  readonly description: string;
  readonly option: EChartsOption;
  readonly table: () => DataTable;
  readonly isWide?: boolean;
  /** A row for each of many names; wide, too. */
  readonly isTall?: boolean;
}

/** A heading, a chart, a sentence, and a table that opens. */
export function addChart(
  parent: HTMLElement,
  { title, description, option, table, isWide = false, isTall = false }: ChartSection,
): MountedChart {
  const section = document.createElement("section");
  section.className = isWide || isTall ? "card wide" : "card";
  section.setAttribute("aria-label", title);
  const heading = document.createElement("h2");
  heading.textContent = title;
  const figure = document.createElement("figure");
  const box = document.createElement("div");
  box.className = isTall ? "chart tall" : "chart";
  const caption = document.createElement("figcaption");
  caption.textContent = description;
  figure.append(box, caption, dataTable(title, table));
  section.append(heading, figure);
  // The library measures the box: it must stand in the page first.
  parent.append(section);
  return mount(box, option, `${title}. ${description}`);
}
