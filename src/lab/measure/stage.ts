/** What a run needs before its nodes are connected: the network's files, and processes with nodes, links and attackers. */
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { writeNetworkDir } from "../../state/network_dir.ts";
import { ATTACK_SHARE } from "../fuzz/attackers.ts";
import { makeOwnNetwork } from "../fuzz/fixture.ts";
import { processCount, readMachine } from "./capacity.ts";
import { HERE, NetworkNamespaces } from "./netns.ts";
import { NodeProcesses } from "./node_processes.ts";
import { EXITS_FILE } from "./node_worker.ts";
import type { MeasureParams } from "./params.ts";
import type { RunPlan } from "./plan.ts";
import { RunAttacks } from "./run_attacks.ts";
import { RunLinks } from "./run_links.ts";
import type { Topology } from "./topology.ts";
import { TRACE_VERSION, type TraceHeader } from "./trace.ts";
import { TraceClock } from "./trace_clock.ts";

export interface Stage {
  readonly processes: NodeProcesses;
  readonly links: RunLinks;
  /** Null where nobody attacks. */
  readonly attacks: RunAttacks | null;
  readonly clock: TraceClock;
  readonly header: TraceHeader;
}

export interface StageOptions {
  readonly params: MeasureParams;
  readonly topology: Topology;
  readonly plan: RunPlan;
  /** For the network's files and the processes' traces. */
  readonly dir: string;
}

export interface StageDeps {
  readonly clock: Clock;
  readonly version: string;
  /** False: without a trace, to learn what it costs. */
  readonly trace?: boolean;
}

export type Closer = () => Promise<void>;

/**
 * Everybody is up, and nobody connected.
 * @param closers takes what ends all that has been started, were it only in part.
 */
export async function setStage(
  { params, topology, plan, dir }: StageOptions,
  closers: Closer[],
  { clock, version, trace = true }: StageDeps,
): Promise<Stage> {
  const { attacks: wanted, attackRate, netns, seed } = params;
  const count = processCount(readMachine(), topology.nodes);
  const namespaces = netns ? await NetworkNamespaces.open(count) : null;
  if (namespaces !== null) closers.push(() => namespaces.close());
  const hub = namespaces?.hub ?? HERE;

  const published = plan.publications.length;
  const validCount = published + wanted.length * ATTACK_SHARE;
  const nowS = Math.floor(clock.nowMs() / 1000);
  const own = makeOwnNetwork(validCount, nowS);
  await inTemporaryDir(async () => {
    await writeNetworkDir(dir, { network: own.network, genesisState: own.finalized, bootnodes: [], deployBlock: 0 });
    await writeFile(join(dir, EXITS_FILE), Buffer.concat(own.fixture.valid.slice(0, published)));
  });

  const attacks = wanted.length === 0 ? null : new RunAttacks(hub, clock);
  if (attacks !== null) closers.push(() => attacks.stop());
  await attacks?.setup({ validCount, nowS, seed, rate: attackRate });

  const processes = new NodeProcesses({ params, topology, dir, count, namespaces, version, trace }, clock);
  closers.push(() => processes.stop());
  const links = new RunLinks(params, topology, { hub, addressOf: (node) => processes.addressOf(node), clock });
  closers.push(() => links.stop());
  await processes.readClocks();
  const traceClock = new TraceClock(clock);
  const header: TraceHeader = {
    e: "run",
    version: TRACE_VERSION,
    epochMs: traceClock.epochMs,
    ...(await processes.start(traceClock)),
    firstCounted: params.warmupMessages,
  };
  return { processes, links, attacks, clock: traceClock, header };
}

/** Throws a `CodedError` `TEMP_UNWRITABLE` where `write` throws. */
export async function inTemporaryDir<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const problem = `Cannot write temporary files: ${errorMessage(error)}`;
    throw new CodedError(
      "TEMP_UNWRITABLE",
      `${problem}; free some space in ${tmpdir()}, or name another in TMPDIR`,
      {},
      error,
    );
  }
}

/** The last one first: a namespace goes when nobody is in it any more. Throws a `CodedError` `WORKER_LOST`. */
export async function closeAll(closers: readonly Closer[]): Promise<void> {
  const problems: unknown[] = [];
  for (const close of [...closers].reverse()) await close().catch((error) => problems.push(error));
  if (problems.length > 0) {
    throw new CodedError("WORKER_LOST", `A process did not stop: ${errorMessage(problems[0])}`, {}, problems[0]);
  }
}
