/**
 * The files of the page as a server sends them, or as a report holds them. Browser modules go out one to one: from a
 * checkout without their types, from the published package as they were built. No bundler stands between.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { extname, join } from "node:path";

export interface PageFile {
  /** MIME. */
  readonly type: string;
  readonly text: string;
  /** Quoted, as the header has it. */
  readonly etag: string;
}

/** `.ts` in a checkout, `.js` in the published package. */
const EXTENSION = extname(import.meta.filename);

/** The folders of browser code. */
const MODULE_FOLDERS = ["live", "charts", "report"] as const;

const STYLE = "style.css";

/** Apache ECharts as one ES module: what browser code imports as `echarts`. */
export const ECHARTS = "vendor/echarts.js";

/** From names to paths. What is not in here is not served, so no name can lead out of these folders. */
const paths: ReadonlyMap<string, string> = new Map([
  ...MODULE_FOLDERS.flatMap(modulesOf).map((name): [string, string] => [name, join(import.meta.dirname, name)]),
  [STYLE, join(import.meta.dirname, STYLE)],
  [ECHARTS, createRequire(import.meta.url).resolve("echarts/dist/echarts.esm.min.js")],
]);

const files = new Map<string, PageFile>();

export function pageFileNames(): readonly string[] {
  return [...paths.keys()];
}

/** `live/main` → `live/main.ts`, or `live/main.js` where the code was built. */
export function moduleName(path: string): string {
  return path + EXTENSION;
}

/** By its name below `/page/`, such as `style.css`; null where there is no such file. */
export function pageFile(name: string): PageFile | null {
  const known = files.get(name);
  if (known !== undefined) return known;
  const path = paths.get(name);
  if (path === undefined) return null;
  const text = readText(path);
  const type = name.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
  const file = { type, text, etag: `"${createHash("sha256").update(text).digest("base64url")}"` };
  files.set(name, file);
  return file;
}

function modulesOf(folder: string): string[] {
  return readdirSync(join(import.meta.dirname, folder))
    .filter((file) => extname(file) === EXTENSION && !file.endsWith(".d.ts"))
    .map((file) => `${folder}/${file}`);
}

function readText(path: string): string {
  const text = readFileSync(path, "utf8");
  return path.endsWith(".ts") ? withoutWarnings(() => stripTypeScriptTypes(text)) : text;
}

/** Node calls this function experimental, on the stderr of whoever opens the page of a checkout. */
function withoutWarnings<T>(run: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return run();
  } finally {
    process.emitWarning = emitWarning;
  }
}
