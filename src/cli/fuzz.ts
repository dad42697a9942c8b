/** `msgbus fuzz`: attacks a gossip peer in every way that the catalogue has, and says what held. */
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { ATTACK_GROUPS } from "../lab/fuzz/attack.ts";
import { CATALOGUE, selectAttacks } from "../lab/fuzz/catalogue.ts";
import type { AttackReport } from "../lab/fuzz/criteria.ts";
import { assertLocal, type FuzzOptions, runFuzz } from "../lab/fuzz/fuzz.ts";
import { catalogueText, failureLines, type RunReport, tableHead, tableRow, totalsOf } from "../lab/fuzz/report.ts";
import { socketAddress } from "../lab/fuzz/sockets.ts";
import {
  jsonOption,
  parseHttpUrl,
  parseMultiaddr,
  parseNonNegativeInteger,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
  secondsOption,
} from "./options.ts";
import { colour, createHumanOutput, createJsonOutput } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";
import { packageVersion } from "./version.ts";

/** Above what one attacking process can send: a typo must not make a weapon. */
const MAX_RATE = 200_000;
/** An hour an attack. */
const MAX_SECONDS = 3_600;
/** They share a process, and each has twenty attackers. */
const MAX_HONEST_NODES = 20;
/** Of honest publishing, before and after each attack. */
const QUIET_MS = 2_000;
/** Messages a second; a network of a million validators sees fewer exits. */
const HONEST_RATE = 20;
/** Of an attack: each is of a validator of its own, and a state of more takes long to make. Longer attacks get a lower rate. */
const MAX_HONEST_MESSAGES = 4_096;

interface FuzzFlags {
  peer?: string;
  network?: string;
  state?: string;
  finalizedState?: string;
  valid?: string;
  metrics?: string;
  attack: string[];
  seconds: number;
  rate: number;
  seed: number;
  honestNodes: number;
  out?: string;
  canary: boolean;
  allowRemote: boolean;
  list: boolean;
  json: boolean;
}

function parseRate(value: string): number {
  const rate = parsePositiveInteger(value);
  if (rate > MAX_RATE) throw new InvalidArgumentError(`It must be at most ${MAX_RATE}.`);
  return rate;
}

function parseAttackSeconds(value: string): number {
  const ms = parsePositiveSecondsToMs(value);
  if (ms > 1000 * MAX_SECONDS) throw new InvalidArgumentError(`It must be at most ${MAX_SECONDS}.`);
  return ms;
}

function parseHonestNodes(value: string): number {
  const nodes = parsePositiveInteger(value);
  if (nodes > MAX_HONEST_NODES) throw new InvalidArgumentError(`It must be at most ${MAX_HONEST_NODES}.`);
  return nodes;
}

export function fuzzCommand(): Command {
  return new Command("fuzz")
    .description(
      "Attacks a gossip peer with spam of every kind, beside honest peers that publish and observe, and reports what it\n" +
        "forwarded, whom it hung up on, and what the honest felt of it. Without --peer: a node of its own.",
    )
    .option("--attack <names>", `attacks or groups (${ATTACK_GROUPS.join(", ")}), by commas`, parseNames, ["all"])
    .option("--list", "print the catalogue and leave", false)
    .addOption(secondsOption("--seconds <s>", "the longest that each attack may take", 3, parseAttackSeconds))
    .option("--rate <n>", "RPCs a second", parseRate, 10_000)
    .option("--seed <n>", "chooses identities and bytes", parseNonNegativeInteger, 1)
    .option("--honest-nodes <n>", "of the networks of sybil and eclipse", parseHonestNodes, 5)
    .option("--peer <multiaddr>", "attack this node, with its /p2p/ id", parseMultiaddr)
    .option("--network <dir>", "with --peer: the directory of its network")
    .option("--state <file>", "with --peer: the head state that it stands on, where it stands still")
    .option("--finalized-state <file>", "with --state: the finalized state (default: the head state)")
    .option("--valid <path>", "with --peer: an operation that is valid there, or a directory of such")
    .option("--metrics <url>", "with --peer: where it tells its metrics", parseHttpUrl)
    .option("--allow-remote", "the target is mine, though it is not on this machine", false)
    .addOption(new Option("--canary", "attack stock gossipsub without cures, which must fail").default(false))
    .option("--out <dir>", "writes report.json and report.txt there")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Exit code 0 when the target was sound under every attack, else 1 and the command that shows each failure again.

Examples:
  $ msgbus fuzz
  $ msgbus fuzz --attack messages,iwant-unvalidated --seconds 10 --out report
  $ msgbus fuzz --peer /ip4/127.0.0.1/tcp/9000/p2p/16Uiu2… --network network --valid exits`,
    )
    .action(run);
}

function parseNames(value: string): string[] {
  return value.split(",").map((name) => name.trim());
}

async function run(flags: FuzzFlags, command: Command): Promise<void> {
  assertUsage(flags, command);
  const attacks = selectAttacks(flags.attack);
  if (flags.list) {
    list(flags);
    return;
  }
  const options: FuzzOptions = {
    attacks,
    seed: flags.seed,
    durationMs: flags.seconds,
    quietMs: QUIET_MS,
    rate: flags.rate,
    honestRate: Math.min(HONEST_RATE, MAX_HONEST_MESSAGES / (flags.seconds / 1000)),
    measureHeap: true,
    honestNodes: flags.honestNodes,
    peer: peerOf(flags),
    ownTarget: flags.canary ? "canary" : "node",
    freshTargets: true,
  };
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  if (!flags.json) process.stdout.write(`${colour("bold", tableHead())}\n`);
  const text = [tableHead()];
  const onReport = (report: AttackReport) => {
    const failed = report.failed.length > 0;
    const lines = [tableRow(report), ...(failed ? failureLines(report, commandOf(flags, report.attack)) : [])];
    text.push(...lines);
    output.event("attack", { ...report }, failed ? colour("red", lines.join("\n")) : (lines[0] as string));
  };
  const onProgress: FuzzOptions["onProgress"] = (attack, sent, elapsedMs) => {
    const { messages, identities } = sent;
    const line = `${attack}: ${Math.round(elapsedMs / 1000)} s, ${messages} messages from ${identities} identities`;
    output.event("progress", { attack, elapsedMs, sent }, colour("dim", line));
  };
  const reports = await runFuzz({ ...options, onProgress }, onReport, systemClock, createShutdownSignal(systemClock));
  const run: RunReport = {
    versions: versions(),
    target: flags.peer ?? options.ownTarget,
    command: commandOf(flags, flags.attack.join(",")),
    attacks: reports,
    totals: totalsOf(reports),
  };
  const { attacks: _, ...summary } = run;
  const line = summaryLine(run);
  text.push(line);
  output.event("summary", summary, colour(run.totals.failed > 0 ? "red" : "green", line));
  if (flags.out !== undefined) await write(flags.out, run, text);
  if (run.totals.failed > 0 || reports.length < attacks.length) process.exitCode = 1;
}

function assertUsage({ peer, network, state, finalizedState, valid, metrics, canary }: FuzzFlags, command: Command) {
  if (peer !== undefined) {
    if (network === undefined) command.error("error: option '--peer <multiaddr>' needs '--network <dir>'");
    if (canary) command.error("error: option '--peer <multiaddr>' cannot be used with option '--canary'");
  } else {
    const dependent = { "--network": network, "--state": state, "--valid": valid, "--metrics": metrics };
    const given = Object.entries(dependent).find(([, value]) => value !== undefined);
    if (given !== undefined) command.error(`error: option '${given[0]}' needs '--peer <multiaddr>'`);
  }
  if (finalizedState !== undefined && state === undefined) {
    command.error("error: option '--finalized-state <file>' needs '--state <file>'");
  }
}

function peerOf(flags: FuzzFlags): FuzzOptions["peer"] {
  const { peer, network, state, finalizedState, valid, metrics, allowRemote } = flags;
  if (peer === undefined || network === undefined) return null;
  if (!allowRemote) assertLocal(socketAddress(peer).host);
  return {
    address: peer,
    networkDir: network,
    metricsUrl: metrics ?? null,
    stateFile: state ?? null,
    finalizedStateFile: finalizedState ?? null,
    valid: valid ?? null,
  };
}

function list({ json }: FuzzFlags): void {
  const output = json ? createJsonOutput(systemClock) : createHumanOutput();
  for (const attack of CATALOGUE) {
    const { name, group, what, source, sound } = attack;
    output.event("attack", { name, group, what, source, sound }, catalogueText([attack]));
  }
}

/** The same attack again, byte for byte as far as the target lets it. */
function commandOf(flags: FuzzFlags, attack: string): string {
  const { seed, seconds, rate, honestNodes, peer, network, state, finalizedState, valid, metrics } = flags;
  const given: Record<string, string | undefined> = {
    peer,
    network,
    state,
    "finalized-state": finalizedState,
    valid,
    metrics,
  };
  return [
    `msgbus fuzz --attack ${attack} --seed ${seed} --seconds ${seconds / 1000} --rate ${rate}`,
    ...(peer === undefined ? [`--honest-nodes ${honestNodes}`] : []),
    ...Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])),
    ...(flags.allowRemote ? ["--allow-remote"] : []),
    ...(flags.canary ? ["--canary"] : []),
  ].join(" ");
}

function summaryLine({ totals }: RunReport): string {
  const { attacks, failed, skipped, rpcs, messages, identities, validatorCalls, invalidForwarded } = totals;
  const made = attacks - skipped;
  return (
    `${made - failed} of ${made} attacks met a sound target${skipped > 0 ? `, ${skipped} could not be made` : ""}. Sent ${rpcs} RPCs with ${messages} messages from ` +
    `${identities} identities; ${validatorCalls} were judged, ${invalidForwarded} invalid ones forwarded.`
  );
}

async function write(dir: string, report: RunReport, text: readonly string[]): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
    await writeFile(join(dir, "report.txt"), `${report.command}\n${text.join("\n")}\n`);
  } catch (error) {
    throw new CodedError("OUT_NOT_WRITABLE", `Cannot write to ${dir}: ${errorMessage(error)}`, { dir }, error);
  }
}

function versions(): Record<string, string> {
  const { dependencies } = createRequire(import.meta.url)("../../package.json") as {
    dependencies: Record<string, string>;
  };
  const { libp2p = "", "@chainsafe/libp2p-gossipsub": gossipsub = "" } = dependencies;
  return { msgbus: packageVersion(), node: process.versions.node, libp2p, gossipsub };
}
