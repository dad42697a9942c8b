import { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { type CaseResult, runVectors } from "../lab/vectors/run.ts";
import { jsonOption } from "./options.ts";
import { colour, createHumanOutput, createJsonOutput } from "./output.ts";

/** Columns that a value takes in a difference before it is cut: roots fit, lists do not. */
const MAX_VALUE_CHARS = 200;

export function vectorsCommand(): Command {
  return new Command("vectors")
    .description("Run a tree of test vectors in the layout of the official consensus tests")
    .argument("<dir>", "the directory that holds <preset>/message_bus/<runner>/<handler>/<suite>/<case>")
    .option("--filter <text>", "run only cases whose path contains this text")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Exit code 0 when at least one case ran and none failed. Cases of an unknown runner, handler, fork or preset are
skipped and named. With --json each case is an event, and the last event is the summary. Formats:
test/vectors/README.md.

Examples:
  $ msgbus vectors test/vectors
  $ msgbus vectors test/vectors --filter minimal/message_bus/sanity
  $ msgbus vectors ../their-vectors --json | tail -n 1`,
    )
    .action(run);
}

async function run(root: string, options: { filter?: string; json: boolean }): Promise<void> {
  const output = options.json ? createJsonOutput(systemClock) : createHumanOutput();
  const startMs = systemClock.monotonicMs();
  const progress = createProgress();
  const results = await runVectors(
    {
      root,
      filter: options.filter ?? "",
      onResult(result, total) {
        progress.clear();
        const { path, status, reason, differences } = result;
        if (status === "failed") output.event("case", { path, status, reason, differences }, failureText(result));
        else if (options.json) output.event("case", { path, status, reason }, "");
        progress.show(total);
      },
    },
    systemClock,
  );
  progress.clear();
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  output.event("summary", summaryOf(results), summaryText(results, seconds));
  if (count(results, "failed") > 0 || count(results, "passed") === 0) process.exitCode = 1;
}

function summaryOf(results: CaseResult[]) {
  return {
    passed: count(results, "passed"),
    failed: count(results, "failed"),
    skipped: count(results, "skipped"),
    failures: results
      .filter(({ status }) => status === "failed")
      .map(({ path, reason, differences }) => ({ path, reason, differences })),
    skips: skipReasons(results),
  };
}

function summaryText(results: CaseResult[], seconds: number): string {
  const groups = [...new Set(results.map(({ group }) => group))].sort();
  const width = Math.max(...groups.map((group) => group.length), 14);
  const row = (group: string, of: CaseResult[]) =>
    [
      group.padEnd(width),
      ...STATUSES.map((status) => colourCount(String(count(of, status)).padStart(8), status, of)),
    ].join("");
  const skips = Object.entries(skipReasons(results)).map(([reason, cases]) => `skipped ${cases}: ${reason}`);
  const ran = count(results, "passed") + count(results, "failed");
  return [
    "",
    colour("bold", ["runner/handler".padEnd(width), ...STATUSES.map((status) => status.padStart(8))].join("")),
    ...groups.map((group) =>
      row(
        group,
        results.filter((result) => result.group === group),
      ),
    ),
    row("all", results),
    ...skips,
    ran === 0 ? colour("red", "Nothing ran: no known case's path matches.") : `${ran} ran in ${seconds.toFixed(1)} s.`,
  ].join("\n");
}

const STATUSES = ["passed", "failed", "skipped"] as const;

function colourCount(text: string, status: CaseResult["status"], of: CaseResult[]): string {
  if (status === "passed" || count(of, status) === 0) return text;
  return colour(status === "failed" ? "red" : "yellow", text);
}

function failureText({ path, reason, differences }: CaseResult): string {
  return [
    `${colour("red", "FAILED")} ${path}: ${reason}`,
    ...differences.flatMap((difference) => [
      `  ${difference.path}`,
      `    expected ${cut(difference.expected)}`,
      `    actual   ${cut(difference.actual)}`,
    ]),
  ].join("\n");
}

function cut(value: string): string {
  return value.length <= MAX_VALUE_CHARS ? value : `${value.slice(0, MAX_VALUE_CHARS)}…`;
}

function count(results: CaseResult[], status: CaseResult["status"]): number {
  return results.filter((result) => result.status === status).length;
}

/** Cases by why they were skipped. */
function skipReasons(results: CaseResult[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { status, reason } of results) {
    if (status === "skipped") reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
}

/** A counter on stderr that rewrites itself, for people at a terminal only. */
function createProgress() {
  const { stderr } = process;
  let done = 0;
  return {
    show(total: number) {
      done += 1;
      if (stderr.isTTY) stderr.write(`${done} of ${total}`);
    },
    clear() {
      if (stderr.isTTY) stderr.write("\r\u001b[K");
    },
  };
}
