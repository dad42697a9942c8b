/** What a run says: a table for people, one object for programs, and the command that shows a failure again. */
import type { Attack } from "./attack.ts";
import type { AttackReport } from "./criteria.ts";
import { CRITERIA } from "./criteria.ts";

/** Everything that a reader needs to judge a run and to repeat it. */
export interface RunReport {
  readonly versions: Readonly<Record<string, string>>;
  /** The multiaddr of somebody's node, or which of our own targets. */
  readonly target: string;
  readonly command: string;
  readonly attacks: readonly AttackReport[];
  readonly totals: RunTotals;
}

export interface RunTotals {
  readonly attacks: number;
  readonly failed: number;
  readonly skipped: number;
  readonly rpcs: number;
  readonly messages: number;
  readonly bytes: number;
  readonly identities: number;
  /** Of the targets that told. */
  readonly validatorCalls: number;
  readonly invalidForwarded: number;
}

export function totalsOf(reports: readonly AttackReport[]): RunTotals {
  const sum = (value: (report: AttackReport) => number) => reports.reduce((total, report) => total + value(report), 0);
  return {
    attacks: reports.length,
    failed: reports.filter(({ failed }) => failed.length > 0).length,
    skipped: reports.filter(({ skipped }) => skipped !== null).length,
    rpcs: sum(({ sent }) => sent.rpcs),
    messages: sum(({ sent }) => sent.messages),
    bytes: sum(({ sent }) => sent.bytes),
    identities: sum(({ sent }) => sent.identities),
    validatorCalls: sum(({ validatorCalls }) => validatorCalls ?? 0),
    invalidForwarded: sum(invalidOf),
  };
}

function invalidOf({ honest }: AttackReport): number {
  return Object.values(honest.invalid).reduce((total, count) => total + count, 0);
}

interface Column {
  readonly title: string;
  readonly value: (report: AttackReport) => string;
}

const MEBIBYTE = 1024 * 1024;
const UNKNOWN = "–";
const whole = (value: number | null) => (value === null ? UNKNOWN : String(Math.round(value)));

const COLUMNS: readonly Column[] = [
  { title: "RPCs", value: ({ sent }) => String(sent.rpcs) },
  { title: "messages", value: ({ sent }) => String(sent.messages) },
  { title: "MiB", value: ({ sent }) => (sent.bytes / MEBIBYTE).toFixed(1) },
  { title: "peers", value: ({ sent }) => String(sent.identities) },
  { title: "verdicts", value: ({ validatorCalls }) => whole(validatorCalls) },
  { title: "invalid", value: (report) => String(invalidOf(report)) },
  { title: "gone ms", value: ({ firstHungUpMs }) => whole(firstHungUpMs) },
  { title: "gray ms", value: ({ graylistedMs }) => whole(graylistedMs) },
  { title: "stay ms", value: ({ longestStayMs }) => whole(longestStayMs) },
  { title: "redial", value: ({ redialRefused }) => yesNo(redialRefused, "refused", "taken") },
  { title: "honest %", value: deliveryText },
  { title: "p50 ms", value: ({ honest }) => phasesText(honest, ({ p50Ms }) => whole(p50Ms)) },
  { title: "p99 ms", value: ({ honest }) => phasesText(honest, ({ p99Ms }) => whole(p99Ms)) },
  { title: "loop ms", value: ({ target }) => `${whole(target.eventLoopP99Ms)}/${whole(target.eventLoopMaxMs)}` },
  { title: "stall ms", value: ({ target }) => whole(target.longestStallMs) },
  { title: "CPU %", value: ({ target }) => whole(target.cpu === null ? null : 100 * target.cpu) },
  { title: "heap MiB", value: ({ target }) => heapText(target.heapGrowthBytes) },
];

type Honest = AttackReport["honest"];

function phasesText({ phases }: Honest, text: (phase: Honest["phases"]["before"]) => string): string {
  return [phases.before, phases.during, phases.after].map(text).join("/");
}

function deliveryText({ honest }: AttackReport): string {
  return phasesText(honest, ({ published, delivered }) =>
    published === 0 ? UNKNOWN : String(Math.floor((100 * delivered) / published)),
  );
}

function yesNo(value: boolean | null, yes: string, no: string): string {
  if (value === null) return UNKNOWN;
  return value ? yes : no;
}

function heapText(bytes: number | null): string {
  return bytes === null ? UNKNOWN : `${bytes < 0 ? "" : "+"}${(bytes / MEBIBYTE).toFixed(1)}`;
}

const NAME_WIDTH = 27;
/** How long attackers or target were kept from running above which timed criteria say more of the machine than of the target. */
const BUSY_MS = 50;

export function tableHead(): string {
  const cells = COLUMNS.map(({ title }) => title.padStart(widthOf(title)));
  return ["attack".padEnd(NAME_WIDTH), ...cells, "  outcome"].join("");
}

export function tableRow(report: AttackReport): string {
  const cells = COLUMNS.map(({ title, value }) => value(report).padStart(widthOf(title)));
  return [report.attack.padEnd(NAME_WIDTH), ...cells, `  ${outcomeOf(report)}`].join("");
}

function outcomeOf({ failed, skipped, sent, target, neighbours }: AttackReport): string {
  if (skipped !== null) return `skipped: ${skipped}`;
  const reasons = Object.keys(target.disconnects).join(" ");
  const { eventLoopMaxMs, longestStallMs } = target;
  const keptMs = eventLoopMaxMs === null || longestStallMs === null ? 0 : eventLoopMaxMs - longestStallMs;
  const busyMs = Math.max(sent.stallMs, keptMs);
  const busy = failed.length > 0 && busyMs > BUSY_MS ? `; this machine was busy: ${whole(busyMs)} ms` : "";
  const network =
    neighbours === null ? "" : `; ${Math.floor(100 * neighbours.delivered)} % at ${neighbours.nodes} other nodes`;
  const outcome = (failed.length === 0 ? "sound" : failed.join(" ")) + network + busy;
  return reasons === "" ? outcome : `${outcome} (${reasons})`;
}

/** Room for a value before, during and after, where a column has three. */
function widthOf(title: string): number {
  if (/^p\d/.test(title)) return 17;
  return Math.max(title.length, title === "honest %" ? 12 : 7) + 2;
}

/** What failed, why it matters, and how to see it again. */
export function failureLines(report: AttackReport, command: string): string[] {
  return [
    ...report.failed.map((criterion) => `  ${criterion}: ${CRITERIA[criterion]}`),
    ...report.faults.map((fault) => `  ${fault}`),
    ...(report.honest.invalidSample === null ? [] : [`  forwarded: ${JSON.stringify(report.honest.invalid)}`]),
    `  again: ${command}`,
  ];
}

export function catalogueText(attacks: readonly Attack[]): string {
  return attacks
    .map(({ name, group, what, source, sound }) =>
      [`${name} (${group})`, `  ${what}`, `  source  ${source}`, `  sound   ${sound}`].join("\n"),
    )
    .join("\n");
}
