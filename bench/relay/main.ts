/**
 * `npm run bench:relay`: CPU of a relay for each message that it relays, publisher → relay → sinks in processes of their
 * own over TCP on loopback, our stack beside the stock one. Keeps a run in RESULTS.md, that of parts in PARTS.md. Exits with 1
 * where a goal is missed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { createIdentity } from "../../src/network/identity.ts";
import { median } from "../measure.ts";
import {
  type EndpointAnswer,
  type EndpointKind,
  type EndpointRequest,
  type NetworkSpec,
  PARTS,
  type RelayAnswer,
  type RelayName,
  type RelayRequest,
} from "./protocol.ts";

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    /** Of a round with a full window; a paced one has half of them. */
    messages: { type: "string", default: "2000" },
    fanout: { type: "string" },
    load: { type: "string" },
    /** Our stack without each of its parts, instead of the comparison of stacks. */
    parts: { type: "boolean", default: false },
    /** Writes the relays' CPU profiles there. */
    "cpu-prof-dir": { type: "string" },
    save: { type: "boolean", default: false },
  },
});
const ROUNDS = Number(flags.rounds);
const MESSAGES = Number(flags.messages);
const RATE_PER_SECOND = 500;
/**
 * What each relay relays before it is measured, whatever `--messages` says: until its code is compiled, ours costs three times
 * what it does after 5,000 messages, and the stock one twice what it does after 2,000.
 */
const WARM_UP_MESSAGES: Record<Load, number> = { "full window": 6000, paced: 1000 };
/**
 * Median delay of a round that is paced: the time of five messages. Where a relay falls further behind, it relays many at once, and
 * the load is another one. Such rounds are taken again by all, as many as were asked for at most.
 */
const PACED_DELAY_US = (5 * 1e6) / RATE_PER_SECOND;
const READY_DEADLINE_MS = 60_000;
const ROUND_DEADLINE_MS = 120_000;

type Load = "full window" | "paced";

interface Subject {
  readonly relay: RelayName;
  readonly endpoints: EndpointKind;
}

const REFERENCE: Subject = { relay: "stock", endpoints: "stock" };
const OURS: Subject = { relay: "msgbus", endpoints: "msgbus" };
const SUBJECTS: readonly Subject[] = flags.parts
  ? [REFERENCE, OURS, ...PARTS.map((part): Subject => ({ relay: `no ${part}`, endpoints: "msgbus" }))]
  : [REFERENCE, OURS, { relay: "msgbus", endpoints: "stock" }, { relay: "stock transport", endpoints: "stock" }];

/** Of our own network against a stock one. */
const GOALS: readonly { fanout: number; load: Load; atMost: number }[] = [
  { fanout: 6, load: "full window", atMost: 0.2 },
  { fanout: 6, load: "paced", atMost: 0.5 },
  { fanout: 1, load: "full window", atMost: 0.36 },
];

interface Row {
  readonly fanout: number;
  readonly load: Load;
  readonly relay: RelayName;
  readonly endpoints: EndpointKind;
  readonly cpuUsPerMessage: number;
  /** Against the reference of the same round; the median of all rounds. */
  readonly ratio: number;
  /** The smallest and the largest of a round. */
  readonly ratioRange: readonly [number, number];
  readonly delayP50Us: number;
  readonly delayP99Us: number;
  readonly messagesPerSecond: number;
  readonly rssMb: number;
  readonly goal: number | null;
}

/** A process and what it answers. */
class Process<Request, Answer extends { readonly event: string }> {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(answer: Answer) => void>();

  constructor(file: string, args: readonly string[], execArgv: readonly string[] = []) {
    this.#child = fork(join(import.meta.dirname, file), args, { execArgv: [...execArgv] });
    this.#child.on("message", (answer: Answer) => {
      for (const listener of this.#listeners) listener(answer);
    });
    this.#child.once("exit", (code) => {
      if (code !== 0) throw new Error(`${file} ended with ${code}`);
    });
  }

  on(listener: (answer: Answer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ask(request: Request): void {
    this.#child.send(request as object);
  }

  /** The next answer that fits; throws `what` at the deadline. */
  next<T extends Answer>(what: string, fits: (answer: Answer) => answer is T, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = systemClock.after(deadlineMs, () => reject(new Error(`Waited in vain: ${what}`)));
      const off = this.on((answer) => {
        if (!fits(answer)) return;
        off();
        cancel();
        resolve(answer);
      });
    });
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

type Relay = Process<RelayRequest, RelayAnswer>;
type Endpoints = Process<EndpointRequest, EndpointAnswer>;
type UsageAnswer = Extract<RelayAnswer, { event: "usage" }>;

interface BenchNetwork {
  readonly spec: NetworkSpec;
  readonly subject: Subject;
  readonly relay: Relay;
  published: number;
}

async function usage(relay: Relay): Promise<UsageAnswer> {
  const answer = relay.next("usage", (found): found is UsageAnswer => found.event === "usage", READY_DEADLINE_MS);
  relay.ask({ do: "usage" });
  return answer;
}

async function startNetwork(id: number, subject: Subject, fanout: number, ends: Ends): Promise<BenchNetwork> {
  const directory = flags["cpu-prof-dir"];
  const profile = directory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${directory}`];
  const publisher = await createIdentity();
  const sinks = await Promise.all(Array.from({ length: fanout }, createIdentity));
  const relay: Relay = new Process("relay.ts", [subject.relay], profile);
  type Ready = Extract<RelayAnswer, { event: "ready" }>;
  const { address } = await relay.next(
    "a relay",
    (found): found is Ready => found.event === "ready",
    READY_DEADLINE_MS,
  );
  const spec: NetworkSpec = {
    id,
    ...subject,
    publisherKey: Buffer.from(publisher.privateKey).toString("hex"),
    sinkKeys: sinks.map(({ privateKey }) => Buffer.from(privateKey).toString("hex")),
  };
  for (const end of [ends.sinks, ends.publisher]) {
    type Joined = Extract<EndpointAnswer, { event: "joined" }>;
    const joined = end.next(
      "nodes to join",
      (found): found is Joined => found.event === "joined" && found.id === id,
      READY_DEADLINE_MS,
    );
    end.ask({ do: "join", network: spec, address });
    await joined;
  }
  const endMs = systemClock.monotonicMs() + READY_DEADLINE_MS;
  while ((await usage(relay)).meshed <= fanout) {
    if (systemClock.monotonicMs() > endMs) throw new Error("Waited in vain: a mesh");
    await sleep(systemClock, 100);
  }
  return { spec, subject, relay, published: 0 };
}

interface Ends {
  readonly publisher: Endpoints;
  readonly sinks: Endpoints;
}

interface Round {
  readonly cpuUs: number;
  readonly delaysUs: readonly number[];
  readonly perSecond: number;
  readonly rssBytes: number;
}

async function runRound(network: BenchNetwork, load: Load, count: number, ends: Ends): Promise<Round> {
  const { relay, spec } = network;
  network.published += count;
  const { published } = network;
  type Delivered = Extract<EndpointAnswer, { event: "delivered" }>;
  type Delays = Extract<EndpointAnswer, { event: "delays" }>;
  const before = await usage(relay);
  const startedMs = systemClock.monotonicMs();
  const done = ends.sinks.next(
    `${count} messages by ${spec.relay}`,
    (found): found is Delivered => found.event === "delivered" && found.id === spec.id && found.delivered >= published,
    ROUND_DEADLINE_MS,
  );
  ends.publisher.ask({ do: "publish", id: spec.id, count, ratePerSecond: load === "paced" ? RATE_PER_SECOND : null });
  await done;
  const elapsedMs = systemClock.monotonicMs() - startedMs;
  const after = await usage(relay);
  const delays = ends.sinks.next("delays", (found): found is Delays => found.event === "delays", READY_DEADLINE_MS);
  ends.sinks.ask({ do: "delays", id: spec.id });
  return {
    cpuUs: (after.cpuUs - before.cpuUs) / count,
    delaysUs: (await delays).delaysUs,
    perSecond: (count * 1000) / elapsedMs,
    rssBytes: after.rssBytes,
  };
}

async function measure(fanout: number, loads: readonly Load[]): Promise<Row[]> {
  const ends: Ends = {
    publisher: new Process("endpoints.ts", ["publisher"]),
    sinks: new Process("endpoints.ts", ["sinks"]),
  };
  ends.sinks.on((answer) => {
    if (answer.event === "delivered") ends.publisher.ask({ ...answer, do: "acknowledge" });
  });
  const networks: BenchNetwork[] = [];
  for (const [id, subject] of SUBJECTS.entries()) networks.push(await startNetwork(id, subject, fanout, ends));
  const rows: Row[] = [];
  // Code is compiled fastest with a full window; what is paced has ways of its own beside.
  for (const load of new Set<Load>(["full window", ...loads])) {
    for (const network of networks) await runRound(network, load, WARM_UP_MESSAGES[load], ends);
  }
  for (const load of loads) {
    const count = load === "paced" ? Math.ceil(MESSAGES / 2) : MESSAGES;
    const rounds = networks.map((): Round[] => []);
    for (let round = 0, again = 0; round < ROUNDS; ) {
      // There and back, so that a machine that becomes slower, or faster, favours nobody.
      const turns = [...networks.entries()];
      if (round % 2 === 1) turns.reverse();
      const taken = new Map<number, Round>();
      for (const [i, network] of turns) taken.set(i, await runRound(network, load, count, ends));
      if (load === "paced" && again < ROUNDS && ![...taken.values()].every(keptPace)) {
        again++;
        continue;
      }
      for (const [i, one] of taken) rounds[i]?.push(one);
      round++;
    }
    const reference = rounds[SUBJECTS.indexOf(REFERENCE)] ?? [];
    for (const [i, subject] of SUBJECTS.entries())
      rows.push(summarize(fanout, load, subject, rounds[i] ?? [], reference));
  }
  for (const { relay } of networks) relay.end();
  ends.publisher.end();
  ends.sinks.end();
  return rows;
}

function keptPace({ delaysUs }: Round): boolean {
  return median(delaysUs) <= PACED_DELAY_US;
}

function summarize(
  fanout: number,
  load: Load,
  subject: Subject,
  rounds: readonly Round[],
  reference: readonly Round[],
): Row {
  // Of each round, then their median: one stall of the machine must not speak for all.
  const delays = rounds.map(({ delaysUs }) => [...delaysUs].sort((a, b) => a - b));
  const quantile = (share: number) => median(delays.map((sorted) => sorted[Math.floor(sorted.length * share)] ?? 0));
  const ours = subject === OURS;
  const ratios = rounds.map(({ cpuUs }, i) => cpuUs / (reference[i]?.cpuUs ?? Number.NaN));
  const goal = GOALS.find((candidate) => ours && candidate.fanout === fanout && candidate.load === load);
  return {
    fanout,
    load,
    ...subject,
    cpuUsPerMessage: median(rounds.map(({ cpuUs }) => cpuUs)),
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    delayP50Us: quantile(0.5),
    delayP99Us: quantile(0.99),
    messagesPerSecond: median(rounds.map(({ perSecond }) => perSecond)),
    rssMb: median(rounds.map(({ rssBytes }) => rssBytes)) / 2 ** 20,
    goal: goal?.atMost ?? null,
  };
}

function isMet({ goal, ratio }: Row): boolean {
  return goal === null || ratio <= goal;
}

function cells(row: Row): string[] {
  const verdict = isMet(row) ? "" : " **missed**";
  return [
    `1→${row.fanout} ${row.load}`,
    row.relay,
    row.endpoints,
    `${row.cpuUsPerMessage.toFixed(0)} µs`,
    `${row.ratio.toFixed(2)}×`,
    row.goal === null ? "" : `≤ ${row.goal}×${verdict}`,
    `${(row.delayP50Us / 1000).toFixed(2)} ms`,
    `${(row.delayP99Us / 1000).toFixed(2)} ms`,
    row.messagesPerSecond.toFixed(0),
    `${row.rssMb.toFixed(0)} MB`,
  ];
}

const HEADER = ["load", "relay", "endpoints", "CPU/message", "ratio", "goal", "delay p50", "p99", "messages/s", "RSS"];
const WIDTHS = [18, 19, 10, 12, 7, 10, 10, 10, 11, 8];

function print(row: readonly string[]): void {
  process.stdout.write(`${row.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(" ")}\n`);
}

/** How the figures came about. */
function explain(rows: readonly Row[]): string {
  const ours = rows.filter(({ relay, endpoints }) => relay === OURS.relay && endpoints === OURS.endpoints);
  const range = ({ fanout, load, ratioRange: [low, high] }: Row) =>
    `  1→${fanout} ${load}: ${low.toFixed(2)}× to ${high.toFixed(2)}×`;
  return [
    "",
    `ratio: CPU of the relay's process (user and system, getrusage) a message, against the stock relay's of the same round; the median of ${ROUNDS}`,
    `rounds, in which all relays take turns, there and back. Round: ${MESSAGES} messages with a full window, or ${Math.ceil(MESSAGES / 2)} at ${RATE_PER_SECOND} a second. Before them each`,
    `relay, the stock one too, has had ${WARM_UP_MESSAGES["full window"]} messages with a full window, and ${WARM_UP_MESSAGES.paced} paced where that is measured. Rounds`,
    `in which a relay fell behind its pace (median delay above ${PACED_DELAY_US / 1000} ms: the machine is busy) were taken again, up to ${ROUNDS} of them. Ours, by rounds:`,
    ...ours.map(range),
    "",
  ].join("\n");
}

function markdown(rows: readonly Row[]): string {
  const [cpu] = cpus();
  return [
    "# A relay's CPU for each message",
    "",
    `Written by \`npm run bench:relay --${flags.parts ? " --parts" : ""} --save\`. Publisher → relay → sinks, TCP on loopback, exits of 1132 random bytes; CPU of the`,
    `relay's process (user and system), medians of ${ROUNDS} rounds that take turns; the ratio is against the stock stack (same versions,`,
    `defaults, but unsigned, and patient with late pings) in the same round. Full window: 64 messages on their way; paced: ${RATE_PER_SECOND} a second. The relay`,
    'of "stock transport" is ours with `tcp()`, `noise()` and `yamux()` as they come, "no …" is ours without that part. Delay is',
    `from publisher to sink, by rounds as well. A round is ${MESSAGES} messages with a full window, ${Math.ceil(MESSAGES / 2)} paced, after a warm-up of the same length for all.`,
    "",
    `Machine: ${cpu?.model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`,
    "",
    `| ${HEADER.join(" | ")} |`,
    `|${HEADER.map(() => "---").join("|")}|`,
    ...rows.map((row) => `| ${cells(row).join(" | ")} |`),
    "",
  ].join("\n");
}

const all: Row[] = [];
const loads = (["full window", "paced"] as const).filter((load) => flags.load === undefined || load === flags.load);
if (!flags.json) print(HEADER);
for (const fanout of flags.fanout === undefined ? [6, 1] : [Number(flags.fanout)]) {
  const rows = await measure(fanout, loads);
  for (const row of rows) {
    if (flags.json) process.stdout.write(`${JSON.stringify({ event: "figure", ...row, met: isMet(row) })}\n`);
    else print(cells(row));
  }
  all.push(...rows);
}
if (!flags.json) process.stdout.write(explain(all));
if (flags.save) writeFileSync(join(import.meta.dirname, flags.parts ? "PARTS.md" : "RESULTS.md"), markdown(all));
process.exitCode = all.every(isMet) ? 0 : 1;
