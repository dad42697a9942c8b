/** What a run is made of, as options: of `msgbus measure`, and of a sweep's file. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { CodedError } from "../../base/errors.ts";
import {
  assertWithin,
  formatAttack,
  MAX_ATTACKS,
  type MeasuredAttack,
  parseAttack,
} from "../../lab/measure/attacks.ts";
import { TRACE_FORMATS, type TraceFormat } from "../../lab/measure/formats/format.ts";
import { parseBandwidth, parseLatency } from "../../lab/measure/links/model.ts";
import type { MeasureParams } from "../../lab/measure/params.ts";
import { STACKS } from "../../lab/measure/stacks.ts";
import { isNamedTopology, readTopology } from "../../lab/measure/topology.ts";
import {
  bounded,
  parseNonNegativeInteger,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
  repeatable,
  secondsOption,
} from "../options.ts";

const MAX_NODES = 10_000;
/** Each is a validator with a key, and a proof. */
const MAX_MESSAGES = 100_000;
const MAX_RATE = 10_000;
const MAX_ATTACK_RATE = 100_000;
const MAX_REPEATS = 1_000;
/** Messages that do not count are published for so long. */
const WARMUP_S = 3;
const DEFAULT_NODES = 50;

/** Parameters that have an option of the same name, which takes what the parameter holds. */
const SAME_NAMES = [
  "rate",
  "messages",
  "topology",
  "degree",
  "latency",
  "bandwidth",
  "loss",
  "churn",
  "stack",
  "seed",
] as const satisfies readonly (keyof MeasureParams)[];

/** What a run, or several of one configuration, are made of. */
export interface RunFlags extends Pick<MeasureParams, (typeof SAME_NAMES)[number] | "netns" | "attackRate"> {
  readonly nodes?: number;
  readonly attack: readonly MeasuredAttack[];
  /** Milliseconds. */
  readonly deadline: number;
  readonly repeat: number;
}

/** Where their files go, and which. */
export interface OutFlags {
  readonly out: string;
  readonly force: boolean;
  readonly traceFormat: readonly TraceFormat[];
}

/** A share, below one: nothing would be left. */
function parseShare(value: string): number {
  const share = Number(value);
  if (!/^\d*\.?\d+$/.test(value) || share >= 1)
    throw new InvalidArgumentError("It must be from 0 to below 1, such as 0.01.");
  return share;
}

export function addRunOptions(command: Command): Command {
  return command
    .option(
      "--nodes <n>",
      `nodes (default: ${DEFAULT_NODES}, or those of a topology's file)`,
      bounded(parsePositiveInteger, 2, MAX_NODES),
    )
    .option("--rate <n>", "messages a second, over all nodes", bounded(Number, 0.01, MAX_RATE), 10)
    .option("--messages <n>", "messages that count", bounded(parsePositiveInteger, 1, MAX_MESSAGES), 300)
    .option("--topology <name|file>", "random, ring, star, or a JSON file with nodes and links", "random")
    .option("--degree <n>", "connections a node, in random and ring", parsePositiveInteger, 16)
    .option(
      "--latency <model>",
      "none, uniform:50ms (one way), normal:50ms,10ms (mean and deviation), cities (measured between Azure's regions)",
      "none",
    )
    .option("--bandwidth <model>", "none, or each node's upload: uniform:50mbit", "none")
    .option("--loss <share>", "of TCP segments, each sent again after a timeout", parseShare, 0)
    .option("--churn <share>", "chance a second that a node leaves, for 5 s", parseShare, 0)
    .addOption(
      new Option("--stack <name>", "msgbus, or stock: libp2p and gossipsub by default, with the same validation")
        .choices(STACKS)
        .default("msgbus"),
    )
    .addOption(
      new Option(
        "--attack <name@from..to>",
        'an attack of "msgbus fuzz --list" on one node, seconds from the first counted message; repeatable',
      )
        .argParser(repeatable(parseAttack))
        .default([], "none"),
    )
    .option(
      "--attack-rate <n>",
      "RPCs a second, of each attack",
      bounded(parsePositiveInteger, 1, MAX_ATTACK_RATE),
      1000,
    )
    .option("--netns", "each process in a network namespace, with an address of its own (Linux)", false)
    .option("--seed <n>", "chooses identities, topology, publishers, chance on links", parseNonNegativeInteger, 1)
    .addOption(secondsOption("--deadline <s>", "from publishing: later is not delivered", 5, parsePositiveSecondsToMs))
    .option("--repeat <n>", "runs, with seeds from --seed on", bounded(parsePositiveInteger, 1, MAX_REPEATS), 1);
}

export function addOutOptions(command: Command): Command {
  return command
    .option("--out <dir>", "where the files go", "msgbus-measure")
    .option("--force", "overwrite what is in --out", false)
    .addOption(
      new Option(
        "--trace-format <format>",
        "also write the trace as pubsub (go-libp2p-pubsub's TraceEvent) or interop (libp2p/test-plans); repeatable",
      )
        .argParser(repeatable(parseTraceFormat))
        .default([], "none"),
    );
}

function parseTraceFormat(value: string): TraceFormat {
  const format = TRACE_FORMATS.find((known) => known === value);
  if (format === undefined) throw new InvalidArgumentError(`It must be one of ${TRACE_FORMATS.join(", ")}.`);
  return format;
}

/** Throws a `CodedError`: `BAD_LATENCY`, `BAD_BANDWIDTH`, `BAD_NODES`, `BAD_ATTACK`, and those of `readTopology`. */
export async function paramsOf(flags: RunFlags): Promise<MeasureParams> {
  const { topology, messages, rate, attack } = flags;
  parseLatency(flags.latency);
  parseBandwidth(flags.bandwidth);
  const given = isNamedTopology(topology) ? null : await readTopology(topology);
  if (given !== null && flags.nodes !== undefined && flags.nodes !== given.nodes) {
    throw new CodedError(
      "BAD_NODES",
      `--nodes is ${flags.nodes}, but ${topology} has ${given.nodes} nodes: leave --nodes out`,
      { nodes: flags.nodes, given: given.nodes },
    );
  }
  if (attack.length > MAX_ATTACKS) {
    throw new CodedError("BAD_ATTACK", `${attack.length} attacks are too many: a run takes ${MAX_ATTACKS}`);
  }
  assertWithin(attack, ((messages - 1) * 1000) / rate);
  return {
    ...pick(flags, [...SAME_NAMES, "netns", "attackRate"]),
    nodes: given?.nodes ?? flags.nodes ?? DEFAULT_NODES,
    warmupMessages: Math.ceil(rate * WARMUP_S),
    attacks: attack,
    deadlineMs: flags.deadline,
  };
}

/** Runs it again. */
export function commandOf(params: MeasureParams): string {
  const { nodes, netns, attacks, attackRate, deadlineMs } = params;
  const options: [string, string | number][] = [
    ["nodes", nodes],
    ...SAME_NAMES.map((name): [string, string | number] => [name, params[name]]),
    ["deadline", deadlineMs / 1000],
    ...attacks.map((attack): [string, string] => ["attack", formatAttack(attack)]),
  ];
  if (attacks.length > 0) options.push(["attack-rate", attackRate]);
  const text = options.map(([name, value]) => ` --${name} ${quoted(String(value))}`).join("");
  return `msgbus measure${text}${netns ? " --netns" : ""}`;
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./:,=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function pick<T, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
