/** The page's HTML, and the headers that keep it to itself: whatever a peer calls itself, it runs nothing here. */
import { createHash } from "node:crypto";
import { ECHARTS, moduleName } from "./assets.ts";

/** `node`: one node and its peers. `devnet`: all nodes of a devnet, and a form that sends exits. */
export type PageKind = "node" | "devnet";

const IMPORT_MAP = JSON.stringify({ imports: { echarts: `/page/${ECHARTS}` } });

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    // The import map can only stand in the page itself.
    `script-src 'self' 'sha256-${createHash("sha256").update(IMPORT_MAP).digest("base64")}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M3 4l10 4-10 4z" fill="#3b6fd4"/></svg>',
)}`;

export function livePage(kind: PageKind): string {
  return `<!doctype html>
<html lang="en" data-kind="${kind}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>msgbus ${kind}</title>
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="/page/style.css">
<script type="importmap">${IMPORT_MAP}</script>
<script type="module" src="/page/${moduleName("live/main")}"></script>
</head>
<body>
<noscript>This page needs JavaScript. The same is told by the API: /metrics and /eth/v1/events.</noscript>
</body>
</html>
`;
}
