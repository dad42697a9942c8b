/** A chart's figures as a table, for those who cannot see it or want the numbers. */
import type { DataTable } from "./chart.ts";

/** Rows that a page shows: more make it slow, and nobody reads them. */
const MAX_ROWS = 1_000;

/** Closed at first, and filled when it is opened. `table` is asked each time. */
export function dataTable(caption: string, table: () => DataTable): HTMLDetailsElement {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = `${caption}: figures as a table`;
  details.append(summary);
  details.addEventListener("toggle", () => {
    details.replaceChildren(summary);
    if (details.open) details.append(tableElement(caption, table()));
  });
  return details;
}

function tableElement(caption: string, { columns, rows }: DataTable): HTMLElement {
  const box = document.createElement("div");
  box.className = "table-box";
  // A box that scrolls must be reachable by keyboard.
  box.tabIndex = 0;
  const table = document.createElement("table");
  const shown = rows.length > MAX_ROWS ? `, the first ${MAX_ROWS} of ${rows.length} rows` : "";
  table.createCaption().textContent = caption + shown;
  const head = table.createTHead().insertRow();
  for (const column of columns) head.append(cell("th", "col", column));
  const body = table.createTBody();
  for (const [first = null, ...others] of rows.slice(0, MAX_ROWS)) {
    const row = body.insertRow();
    row.append(cell("th", "row", first));
    for (const value of others) row.insertCell().textContent = textOf(value);
  }
  box.append(table);
  return box;
}

function cell(tag: "th", scope: "col" | "row", value: string | number | null): HTMLTableCellElement {
  const element = document.createElement(tag);
  element.scope = scope;
  element.textContent = textOf(value);
  return element;
}

function textOf(value: string | number | null): string {
  return value === null ? "–" : String(value);
}
