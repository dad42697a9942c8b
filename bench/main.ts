/**
 * `npm run bench`: runs each benchmark in a process of its own, prints a table, and keeps the numbers of a whole run in
 * RESULTS.md. Exits with 1 where a goal is missed.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, totalmem } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { type Figure, isMet } from "./figure.ts";

const BENCHMARKS = [
  { file: "proof.ts", topics: ["proof"], maxOldSpaceMb: 3072 },
  { file: "registry.ts", topics: ["state load", "processTriggeredExit", "verdict"], maxOldSpaceMb: 3072 },
  { file: "block.ts", topics: ["block"], maxOldSpaceMb: 3072 },
] as const;

const RESULTS_FILE = join(import.meta.dirname, "RESULTS.md");

const { values: flags } = parseArgs({
  options: { json: { type: "boolean", default: false }, filter: { type: "string" } },
});

const figures: Figure[] = [];
for (const benchmark of BENCHMARKS) {
  if (matches(benchmark.topics)) for (const figure of await measure(benchmark)) report(figure);
}
if (figures.length === 0) throw new Error(`No figure's name holds "${flags.filter}"`);
if (flags.filter === undefined) writeFileSync(RESULTS_FILE, formatResults(figures));
process.exitCode = figures.every(isMet) ? 0 : 1;

/** A filter may name a topic, or a part of one figure's name. */
function matches(topics: readonly string[]): boolean {
  const { filter } = flags;
  return filter === undefined || topics.some((topic) => filter.includes(topic) || topic.includes(filter));
}

async function measure({ file, maxOldSpaceMb }: (typeof BENCHMARKS)[number]): Promise<Figure[]> {
  const args = [`--max-old-space-size=${maxOldSpaceMb}`, join(import.meta.dirname, file)];
  const env = { ...process.env, LODESTAR_PRESET: "mainnet" };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  const found: Figure[] = [];
  for await (const line of createInterface({ input: child.stdout })) found.push(JSON.parse(line) as Figure);
  const code = await exited;
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return found;
}

function report(figure: Figure): void {
  if (flags.filter !== undefined && !figure.name.includes(flags.filter) && !flags.filter.includes(topicOf(figure)))
    return;
  figures.push(figure);
  const line = flags.json
    ? JSON.stringify({ event: "figure", ...figure, met: isMet(figure) })
    : `${isMet(figure) ? " " : "✗"} ${figure.name.padEnd(72)} ${formatValue(figure).padStart(10)}  ${formatGoal(figure).padEnd(10)} ${figure.detail}`;
  process.stdout.write(`${line}\n`);
}

function topicOf({ name }: Figure): string {
  return name.split(":")[0] as string;
}

function formatValue({ value, unit }: Figure): string {
  return `${value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3)} ${unit}`;
}

function formatGoal({ goal, unit }: Figure): string {
  if (goal === null) return "";
  return "atMost" in goal ? `≤ ${goal.atMost} ${unit}` : `≥ ${goal.atLeast.toLocaleString("en")} ${unit}`;
}

function formatResults(all: readonly Figure[]): string {
  const [cpu] = cpus();
  const machine = `${cpu?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${arch()}, Node ${process.versions.node}`;
  const rows = all.map(
    (figure) =>
      `| ${figure.name} | ${formatValue(figure)} | ${formatGoal(figure)}${isMet(figure) ? "" : " **missed**"} | ${figure.detail} |`,
  );
  return [
    "# Figures of the last whole run",
    "",
    "Written by `npm run bench`. Medians of rounds; where two things are compared they take turns in one process, and the",
    "ratio is the median of the rounds' own ratios, so that a busy machine slows both sides alike. Times are by the clock,",
    "and longer on a machine that does other things: look at the load. Mainnet preset.",
    "",
    `Machine: ${machine}. Load at the end: ${(loadavg()[0] as number).toFixed(1)}.`,
    "",
    "| figure | value | goal | detail |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
