import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const SRC = join(ROOT, "src");

const BELOW_EDGES = ["base", "spec", "state", "validation", "pool"];
const EDGES = ["network", "execution", "chain", "api"];

/** What each room may import besides itself. The files of src itself are `node`: the one that wires, and the entry. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(BELOW_EDGES.map((room, height) => [room, BELOW_EDGES.slice(0, height)])),
  ...Object.fromEntries(EDGES.map((room) => [room, BELOW_EDGES])),
  page: ["base"],
  api: [...BELOW_EDGES, "page"],
  node: [...BELOW_EDGES, ...EDGES],
  lab: [...BELOW_EDGES, ...EDGES, "page", "node"],
  cli: [...BELOW_EDGES, ...EDGES, "node", "lab"],
};

const IMPORTS = [
  /^\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm,
  /^\s*import\s*["']([^"']+)["']/gm,
  /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g,
];

/**
 * Time and chance, but not methods of the same name (`socket.setTimeout`), nor `AbortSignal.timeout`, which bounds real I/O.
 */
const TIME_AND_CHANCE =
  /\b(?:Date\.now|performance\.now|Math\.random|process\.hrtime)\b|\bnew Date\(\)|(?:(?<![.\w])|\bglobalThis\.)set(?:Timeout|Interval)\b|["'](?:node:)?timers(?:\/promises)?["']/g;
const TIME_AND_CHANCE_FILES = ["src/base/clock.ts", "src/base/random.ts", "src/page/live/time.ts"];

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}

function roomOf(file: string): string {
  const [room = "", ...rest] = relative(SRC, file).split("/");
  return rest.length === 0 ? "node" : room;
}

/** Absolute paths of what a file imports of ours. */
function importsIn(file: string, text: string): string[] {
  const source = withoutComments(text);
  const specifiers = IMPORTS.flatMap((pattern) => [...source.matchAll(pattern)].map(([, specifier = ""]) => specifier));
  return specifiers.filter((one) => one.startsWith(".")).map((one) => resolve(dirname(file), one));
}

/** Each sentence names one import, or one use of time or chance, that `file` (absolute) must not have. */
function faultsOf(file: string, text: string): string[] {
  const source = withoutComments(text);
  const name = relative(ROOT, file);
  const faults: string[] = [];
  for (const target of importsIn(file, text)) {
    const [from, to] = [roomOf(file), roomOf(target)];
    const allowed = target.startsWith(`${SRC}/`) && (from === to || (MAY_IMPORT[from] ?? []).includes(to));
    if (!allowed) faults.push(`${name} imports ${relative(ROOT, target)}`);
  }
  if (!TIME_AND_CHANCE_FILES.includes(name)) {
    for (const [use] of source.matchAll(TIME_AND_CHANCE)) faults.push(`${name} uses ${use}`);
  }
  return faults;
}

const files = globSync("**/*.ts", { cwd: SRC }).map((file) => join(SRC, file));

test("imports: go one way, and time and chance come in through their own files", () => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap((file) => faultsOf(file, readFileSync(file, "utf8")))).toEqual([]);
});

/** Files that import each other by way of others, as `a → b → a`; one for each way that is found. */
function circlesOf(importsOf: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file].map((one) => relative(ROOT, one)).join(" → "));
    if (start >= 0 || done.has(file)) return;
    for (const next of importsOf.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of importsOf.keys()) visit(file, []);
  return circles;
}

test("imports: no file imports itself by way of others", () => {
  const importsOf = new Map(files.map((file) => [file, importsIn(file, readFileSync(file, "utf8"))]));
  expect(circlesOf(importsOf)).toEqual([]);
  const [a, b, c] = ["a", "b", "c"].map((name) => join(ROOT, name)) as [string, string, string];
  const tied = new Map([
    [a, [b]],
    [b, [c]],
    [c, [b]],
  ]);
  expect(circlesOf(tied)).toEqual(["b → c → b"]);
});

test("imports: every folder of src is a room that has its rule", () => {
  expect([...new Set(files.map(roomOf))].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
});

test.each([
  ["src/base/x.ts", 'import { a } from "../spec/types.ts";'],
  ["src/pool/x.ts", 'import type { a } from "../network/network.ts";'],
  ["src/chain/x.ts", 'export * from "../execution/form.ts";'],
  ["src/network/cures/x.ts", 'import {\n  a,\n  b,\n} from "../../api/server.ts";'],
  ["src/api/x.ts", 'const { a } = await import("../chain/chain.ts");'],
  ["src/execution/x.ts", 'import "../node.ts";'],
  ["src/node.ts", 'import { a } from "./lab/devnet.ts";'],
  ["src/lab/x.ts", 'import { a } from "../cli/main.ts";'],
  ["src/cli/x.ts", 'import { a } from "../../test/cli/run.ts";'],
  ["src/chain/x.ts", "const now = Date.now();"],
  ["src/chain/x.ts", "setTimeout(go, 1);"],
  ["src/chain/x.ts", "globalThis.setInterval(go, 1);"],
  ["src/chain/x.ts", 'import { scheduler } from "node:timers/promises";'],
  ["src/pool/x.ts", "const chance = Math.random();"],
])("canary: %s must not hold `%s`", (file, text) => {
  expect(faultsOf(join(ROOT, file), text)).toHaveLength(1);
});

test.each([
  ["src/cli/x.ts", 'import { a } from "../lab/devnet.ts";\nimport { b } from "../chain/chain.ts";'],
  ["src/network/x.ts", 'import { a } from "./topics.ts";\nimport { b } from "../validation/verdict.ts";'],
  ["src/network/x.ts", "socket.setTimeout(1);\n// setTimeout would be late here\nconst at = new Date(0);"],
  ["src/base/clock.ts", "const now = Date.now();"],
])("canary: %s may hold what is allowed", (file, text) => {
  expect(faultsOf(join(ROOT, file), text)).toEqual([]);
});
