/** A report as one HTML file that works offline: latency's distribution function, and the table. */
import { formatValue, METRICS } from "./metrics.ts";
import type { MeasureParams } from "./params.ts";
import type { Report } from "./report.ts";
import { reportNotes } from "./table.ts";

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = 44;
const TICKS = 5;

const STYLE = `
:root { color-scheme: light dark; --line: #1f6feb; --grid: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: 500; padding: .15rem 2rem .15rem 0; }
td { text-align: right; font-variant-numeric: tabular-nums; }
tr { border-bottom: 1px solid var(--grid); }
svg { max-width: 100%; height: auto; }
svg text { fill: currentColor; font-size: 12px; }
.note { border-left: 3px solid #d29922; padding-left: .8rem; }`;

export function reportHtml(report: Report, params: MeasureParams, hash: string): string {
  const rows = METRICS.map(
    ({ label, unit, value }) =>
      `<tr><th scope="row">${escapeHtml(label)}</th><td>${formatValue(value(report), unit)}</td></tr>`,
  );
  const settings = Object.entries(params).map(([name, value]) => `${name} ${value}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>msgbus measure: ${report.nodes} nodes</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Propagation in a network of ${report.nodes} nodes</h1>
<p>${escapeHtml(settings.join(" · "))} · config ${hash}</p>
${reportNotes(report)
  .map((note) => `<p class="note">${escapeHtml(note)}</p>`)
  .join("\n")}
<h2>Latency from publishing</h2>
${cdfSvg(report)}
<h2>Figures</h2>
<table>
<tbody>
${rows.join("\n")}
</tbody>
</table>
<script type="application/json" id="report">${JSON.stringify({ params, report }).replaceAll("<", "\\u003c")}</script>
</body>
</html>
`;
}

function cdfSvg({ latencyMs }: Report): string {
  const maxMs = latencyMs.cdf.at(-1)?.[0] ?? 0;
  if (maxMs === 0) return "<p>Nothing was delivered.</p>";
  const x = (ms: number) => (MARGIN + (ms / maxMs) * (WIDTH - 2 * MARGIN)).toFixed(1);
  const y = (share: number) => (HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const points = [[0, 0] as const, ...latencyMs.cdf].map(([ms, share]) => `${x(ms)},${y(share)}`).join(" ");
  const ticks = Array.from({ length: TICKS + 1 }, (_, k) => k / TICKS);
  const grid = ticks.flatMap((share) => [
    `<line x1="${x(0)}" x2="${x(maxMs)}" y1="${y(share)}" y2="${y(share)}" stroke="var(--grid)"/>`,
    `<text x="${MARGIN - 6}" y="${y(share)}" text-anchor="end" dominant-baseline="middle">${Math.round(share * 100)} %</text>`,
    `<text x="${x(share * maxMs)}" y="${HEIGHT - MARGIN + 18}" text-anchor="middle">${Math.round(share * maxMs)} ms</text>`,
  ]);
  const { p50, p99, max } = latencyMs.fromPublish ?? { p50: 0, p99: 0, max: 0 };
  const description = `Half of all deliveries within ${p50} ms, 99 % within ${p99} ms, the last after ${max} ms.`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="cdf-title cdf-desc">
<title id="cdf-title">Share of pairs delivered, by latency</title>
<desc id="cdf-desc">${description}</desc>
${grid.join("\n")}
<polyline points="${points}" fill="none" stroke="var(--line)" stroke-width="2"/>
</svg>
<p>${description}</p>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
