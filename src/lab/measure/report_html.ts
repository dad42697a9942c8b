/** report.html and compare.html: one file each, that works offline. Tables stand in the HTML, charts come of the data in it. */
import { escapeHtml, oneFile } from "../../page/one_file.ts";
import type { ComparePage, RunPage, RunPicture } from "../../page/report/data.ts";
import { type Contender, compare } from "./compare.ts";
import { definitionOf } from "./definitions.ts";
import { formatValue, METRICS } from "./metrics.ts";
import type { RunParams } from "./params.ts";
import type { Report } from "./report.ts";
import { estimateText } from "./summary.ts";
import { reportNotes } from "./table.ts";

const ENTRY = "report/main";

/** On top of the style sheet that all pages share. */
const STYLE = `<style>
#charts { display: contents; }
figure { margin: 0; display: flex; flex-direction: column; gap: .5rem; }
figcaption { color: var(--muted); font-size: .8125rem; }
.chart.tall { height: 62rem; }
.graph { max-width: 46rem; }
output { font-variant-numeric: tabular-nums; min-width: 14rem; }
.note { border-left: 4px solid var(--ignore); padding-left: .75rem; }
.table-box.whole { max-height: none; }
@media (min-width: 64rem) { .first { grid-column: 1 / span 6; } }
.figures th, .figures thead th { white-space: normal; }
.figures td { white-space: nowrap; }
.figures small { display: block; color: var(--muted); font-weight: 400; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { .chart { break-inside: avoid; } .chart div, .graph div { max-width: 100%; } canvas { max-width: 100%; height: auto !important; } details { display: none; } }
</style>`;

const NO_SCRIPT =
  '<noscript><p class="note">The charts need JavaScript; all figures stand in the tables.</p></noscript>';

/** Figures that stand on top, large. */
const HEADLINES = ["latency_p50", "latency_p99", "to_all_max", "delivery_ratio", "duplicates", "rpc_bytes"];

/** @param nodes peer ids. */
export interface ReportPage {
  readonly report: Report;
  readonly picture: RunPicture;
  readonly run: RunParams;
  readonly nodes: readonly string[];
}

export function reportHtml({ report, picture, run, nodes }: ReportPage): string {
  const data: RunPage = { kind: "run", cdf: report.latencyMs.cdf, picture, nodes, links: run.links };
  const tiles = METRICS.filter(({ key }) => HEADLINES.includes(key)).map(
    ({ label, unit, value }) => `<div><dt>${escapeHtml(label)}</dt><dd>${formatValue(value(report), unit)}</dd></div>`,
  );
  const rows = METRICS.map(
    ({ key, label, unit, value }) =>
      `<tr>${figureHead(key, label)}<td class="number">${formatValue(value(report), unit)}</td></tr>`,
  );
  const settings = [...Object.entries(run.params), ...Object.entries(run.versions), ["config hash", run.configHash]];
  const body = `${STYLE}
<header class="bar"><h1>Propagation in a network of ${report.nodes} nodes</h1><span class="grow"></span>${
    report.partial ? '<strong class="status ignore">partial</strong>' : ""
  }<span class="muted">config ${escapeHtml(run.configHash)}, seed ${run.params.seed}</span></header>
<main>
${NO_SCRIPT}
<section class="card wide"><h2>In short</h2><dl class="tiles">
${tiles.join("\n")}
</dl>
${reportNotes(report)
  .map((note) => `<p class="note">${escapeHtml(note)}</p>`)
  .join("\n")}</section>
<div id="charts"></div>
<section class="card first"><h2>Figures</h2>
<table class="figures" id="figures"><tbody>
${rows.join("\n")}
</tbody></table></section>
<section class="card"><h2>Parameters</h2>
<table id="parameters"><tbody>
${settings.map(([name, value]) => `<tr><th scope="row">${escapeHtml(String(name))}</th><td>${escapeHtml(valueText(value))}</td></tr>`).join("\n")}
</tbody></table>
<p>To run it again:</p><pre class="code">${escapeHtml(run.command)}</pre></section>
</main>`;
  return oneFile({ title: `msgbus measure: ${report.nodes} nodes`, body, data, entry: ENTRY });
}

function valueText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The definition stands once, at the first of the figures that share it. */
function figureHead(key: string, label: string): string {
  const definition = definitionOf(key);
  const first = METRICS.find((metric) => definitionOf(metric.key) === definition);
  const small = definition === null || first?.key !== key ? "" : `<small>${escapeHtml(definition)}</small>`;
  return `<th scope="row">${escapeHtml(label)}${small}</th>`;
}

export function compareHtml(contenders: readonly Contender[]): string {
  const metrics = compare(contenders);
  const data: ComparePage = {
    kind: "compare",
    contenders: contenders.map(({ name, cdfs }) => ({ name, cdfs })),
    metrics,
  };
  const heads = contenders.map(({ name, summary }, k) => {
    const runs = summary.runs === 1 ? "1 run" : `${summary.runs} runs`;
    const head = `<th scope="col" class="number">${escapeHtml(name)}<br>${runs}, config ${escapeHtml(summary.configHash)}</th>`;
    return k === 0 ? head : `${head}<th scope="col" class="number">ratio</th><th scope="col">difference</th>`;
  });
  const rows = metrics.map(({ key, label, unit, values, ratios, judgements }) => {
    const cells = values.map((estimate, k) => {
      const cell = `<td class="number">${estimateText(estimate, unit)}</td>`;
      const ratio = ratios[k] ?? null;
      const judgement = judgements[k] ?? null;
      if (k === 0) return cell;
      return `${cell}<td class="number">${ratio === null ? "–" : `${ratio.toPrecision(3)}×`}</td>${judgementCell(judgement)}`;
    });
    return `<tr>${figureHead(key, label)}${cells.join("")}</tr>`;
  });
  const hashes = new Set(contenders.map(({ summary }) => summary.configHash));
  const body = `${STYLE}
<header class="bar"><h1>Comparison of ${contenders.length} measurements</h1></header>
<main>
${NO_SCRIPT}
<section class="card wide"><h2>How to read it</h2>
<p>All stand beside the first. Medians of several runs have the smallest and the largest value in brackets; a single run has an
interval for latency and delivery alone. A difference is one where the intervals have nothing in common.</p>
${hashes.size === 1 ? "" : '<p class="note">The configurations differ: see params.json.</p>'}</section>
<div id="charts"></div>
<section class="card wide"><h2>Figures</h2><div class="table-box whole" tabindex="0">
<table class="figures" id="figures"><thead><tr><th scope="col">figure</th>${heads.join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table></div></section>
</main>`;
  const title = `msgbus measure: ${contenders.map(({ name }) => name).join(", ")}`;
  return oneFile({ title, body, data, entry: ENTRY });
}

function judgementCell(judgement: string | null): string {
  const tone = judgement === "better" ? "accept" : judgement === "worse" ? "reject" : "muted";
  return `<td class="${tone}">${judgement ?? "–"}</td>`;
}
