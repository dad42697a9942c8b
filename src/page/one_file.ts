/** A page as one HTML file that works from a disk, asks no network for anything, and runs nothing but its own code. */
import { createHash } from "node:crypto";
import { posix } from "node:path";
import { ECHARTS, moduleName, pageFile } from "./assets.ts";

export interface OneFile {
  readonly title: string;
  /** HTML. */
  readonly body: string;
  /** Becomes JSON, which the entry reads from the element `data`. */
  readonly data: unknown;
  /** The module that starts, such as `report/main`. */
  readonly entry: string;
}

const IMPORT = /(\bfrom\s*|\bimport\s*)"(\.{1,2}\/[^"]+)"/g;

export function oneFile({ title, body, data, entry }: OneFile): string {
  const importMap = scriptText({ imports: modulesOf(moduleName(entry)) });
  const start = `import "${moduleName(entry)}";`;
  const policy = [
    "default-src 'none'",
    `script-src ${sourceHash(importMap)} ${sourceHash(start)} data:`,
    "style-src 'unsafe-inline'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${textOf("style.css")}</style>
<script type="importmap">${importMap}</script>
</head>
<body>
${body}
<script type="application/json" id="data">${scriptText(data)}</script>
<script type="module">${start}</script>
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** JSON that ends no script element, whatever stands in it. */
function scriptText(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function sourceHash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * The entry and all that it imports, as URLs that hold their text. Such modules have no place of their own that a
 * relative import could start from: each is imported by its name.
 */
function modulesOf(entry: string): Record<string, string> {
  const modules: Record<string, string> = { echarts: dataUrl(textOf(ECHARTS)) };
  const open = [entry];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name in modules) continue;
    const folder = posix.dirname(name);
    const text = textOf(name).replaceAll(IMPORT, (_match, keyword: string, specifier: string) => {
      const imported = posix.join(folder, specifier);
      open.push(imported);
      return `${keyword}"${imported}"`;
    });
    modules[name] = dataUrl(`${text}\n//# sourceURL=${name}`);
  }
  return modules;
}

/** Percent signs and what a URL's parser would cut off or drop; all else stays, and so stays short. */
function dataUrl(text: string): string {
  return `data:text/javascript;charset=utf-8,${text.replace(/[%#\n\r\t]/g, encodeURIComponent)}`;
}

function textOf(name: string): string {
  const file = pageFile(name);
  if (file === null) throw new Error(`the page has no file ${name}`);
  return file.text;
}
