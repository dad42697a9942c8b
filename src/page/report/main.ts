/** Starts in report.html and compare.html. */
import { showCompare } from "./compare.ts";
import type { PageData } from "./data.ts";
import { showRun } from "./run.ts";

const charts = document.getElementById("charts");
const data = JSON.parse(document.getElementById("data")?.textContent ?? "null") as PageData | null;
if (charts !== null && data !== null) {
  if (data.kind === "run") showRun(charts, data);
  else showCompare(charts, data);
}
