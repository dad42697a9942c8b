/** Runs one network, and leaves its trace. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, sleep } from "../../base/clock.ts";
import type { ProcessEvent } from "./node_processes.ts";
import type { MeasureParams } from "./params.ts";
import { type ChurnEvent, planRun, type RunPlan } from "./plan.ts";
import { unwritable } from "./run_dir.ts";
import { MESH_LOW } from "./stacks.ts";
import { type Closer, closeAll, inTemporaryDir, type Stage, setStage } from "./stage.ts";
import { type Link, neighboursOf, range, type Topology } from "./topology.ts";
import type { TraceEvent } from "./trace.ts";
import { mergeTraces } from "./trace_file.ts";

export type RunPhase = "starting" | "connecting" | "meshing" | "warming" | "measuring" | "finishing";

export interface RunProgress {
  readonly phase: RunPhase;
  /** Of deliveries that count or not, in `measuring`. */
  readonly done: number;
  readonly total: number;
}

export interface RunDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly version: string;
  onProgress(progress: RunProgress): void;
  /** False: without a trace, to learn what it costs. */
  readonly trace?: boolean;
}

export interface RunOutcome {
  /** Links that could not be made. */
  readonly failedLinks: number;
  readonly processes: readonly ProcessEvent[];
}

/** For a mesh everywhere; what is thinner then is measured as it is. */
const MESH_DEADLINE_MS = 20_000;
const POLL_MS = 100;
/** Between the last preparations and the first message. */
const LEAD_MS = 300;
/** Copies that are still under way when all is delivered. */
const GRACE_MS = 500;

/** Writes the trace to `tracePath`. Throws a `CodedError`: of the parsers, `NETNS_UNAVAILABLE`, `TEMP_UNWRITABLE`, `WORKER_LOST`, `OUT_UNWRITABLE`. */
export async function runNetwork(
  params: MeasureParams,
  topology: Topology,
  tracePath: string,
  deps: RunDeps,
): Promise<RunOutcome> {
  const dir = await inTemporaryDir(() => mkdtemp(join(tmpdir(), "msgbus-measure-")));
  const closers: Closer[] = [];
  try {
    deps.onProgress({ phase: "starting", done: 0, total: topology.nodes });
    const plan = planRun(params);
    const stage = await setStage({ params, topology, plan, dir }, closers, deps);
    return await new Run(params, topology, plan, stage, deps).run(tracePath);
  } finally {
    await closeAll(closers);
    await rm(dir, { recursive: true, force: true });
  }
}

class Run {
  readonly #params: MeasureParams;
  readonly #topology: Topology;
  readonly #plan: RunPlan;
  readonly #stage: Stage;
  readonly #deps: RunDeps;
  readonly #events: TraceEvent[] = [];
  readonly #away = new Set<number>();
  readonly #churning: Promise<void>[] = [];
  #failedLinks = 0;

  constructor(params: MeasureParams, topology: Topology, plan: RunPlan, stage: Stage, deps: RunDeps) {
    this.#params = params;
    this.#topology = topology;
    this.#plan = plan;
    this.#stage = stage;
    this.#deps = deps;
  }

  async run(tracePath: string): Promise<RunOutcome> {
    const { signal, onProgress, trace = true } = this.#deps;
    if (!signal.aborted) await this.#connect();
    if (!signal.aborted) await this.#untilMeshed();
    if (!signal.aborted) await this.#publish();
    onProgress({ phase: "finishing", done: 0, total: 1 });
    const processes = await this.#finish();
    const parts = await this.#stage.processes.close();
    if (trace) await this.#merge(parts, tracePath);
    return { failedLinks: this.#failedLinks, processes };
  }

  async #connect(): Promise<void> {
    const { links } = this.#topology;
    this.#deps.onProgress({ phase: "connecting", done: 0, total: links.length });
    await this.#stage.links.open();
    await this.#dial(links);
  }

  async #dial(links: readonly Link[]): Promise<void> {
    const dials = links
      .filter((link) => !link.some((node) => this.#away.has(node)))
      .map((link) => this.#stage.links.dialOf(link));
    this.#failedLinks += await this.#stage.processes.dial(dials);
  }

  async #untilMeshed(): Promise<void> {
    const { clock, signal, onProgress } = this.#deps;
    const neighbours = neighboursOf(this.#topology);
    const deadlineMs = clock.monotonicMs() + MESH_DEADLINE_MS;
    for (;;) {
      const meshes = await this.#stage.processes.meshes();
      const done = meshes.filter(
        ({ index, mesh }) => mesh >= Math.min(MESH_LOW[this.#params.stack], neighbours[index]?.length ?? 0),
      ).length;
      onProgress({ phase: "meshing", done, total: meshes.length });
      if (done === meshes.length || signal.aborted || clock.monotonicMs() > deadlineMs) return;
      await sleep(clock, POLL_MS, signal);
    }
  }

  async #publish(): Promise<void> {
    const { clock, signal } = this.#deps;
    const { processes, links, clock: traceClock } = this.#stage;
    const { publications, churn, countFromMs, lastMs } = this.#plan;
    const beginMs = traceClock.nowMs() + LEAD_MS;
    const countingMs = beginMs + countFromMs - LEAD_MS / 2;
    await links.startUsage();
    await processes.schedule(
      publications.map(({ message, node, atMs }) => ({ message, node, atMs: beginMs + atMs })),
      countingMs,
    );
    const cancelChurn = churn.map((event) =>
      clock.after(beginMs + event.atMs - traceClock.nowMs(), () =>
        this.#churning.push(this.#churn(event).catch(() => {})),
      ),
    );
    this.#scheduleAttacks(beginMs + countFromMs);
    await this.#waitUntil(countingMs, "warming");
    if (!signal.aborted) this.#events.push({ t: Math.round(countingMs * 1000), e: "start" });
    await this.#waitUntil(beginMs + lastMs, "measuring");
    await this.#untilDelivered(beginMs + lastMs + this.#params.deadlineMs);
    for (const cancel of cancelChurn) cancel();
    this.#stage.attacks?.cancel();
    if (!signal.aborted) await sleep(clock, GRACE_MS, signal);
  }

  /** @param firstMs when the first counted message is published, by the trace's clock. */
  #scheduleAttacks(firstMs: number): void {
    const { attacks, processes, clock } = this.#stage;
    const others = range(this.#topology.nodes).filter((node) => node !== this.#plan.target);
    const target = {
      node: this.#plan.target,
      addresses: () => [this.#plan.target, ...others].map((node) => processes.addressOf(node)),
    };
    attacks?.schedule(this.#params.attacks, firstMs, target, clock, (event) => this.#events.push(event));
  }

  #expected(): number {
    return this.#plan.publications.length * (this.#topology.nodes - 1);
  }

  /** By the trace's clock. */
  async #waitUntil(atMs: number, phase: RunPhase): Promise<void> {
    const { clock, signal, onProgress } = this.#deps;
    const { processes, clock: traceClock } = this.#stage;
    while (!signal.aborted && traceClock.nowMs() < atMs) {
      onProgress({ phase, done: await processes.delivered(), total: this.#expected() });
      await sleep(clock, Math.min(5 * POLL_MS, atMs - traceClock.nowMs()), signal);
    }
  }

  async #untilDelivered(deadlineMs: number): Promise<void> {
    const { clock, signal } = this.#deps;
    const { processes, clock: traceClock } = this.#stage;
    while (!signal.aborted && traceClock.nowMs() < deadlineMs && (await processes.delivered()) < this.#expected()) {
      await sleep(clock, POLL_MS, signal);
    }
  }

  async #churn({ node, kind }: ChurnEvent): Promise<void> {
    const { processes, links } = this.#stage;
    if (kind === "leave") {
      this.#away.add(node);
      await processes.stopNode(node);
      return;
    }
    await processes.startNode(node);
    this.#away.delete(node);
    await links.moved(node);
    await this.#dial(this.#topology.links.filter((link) => link.includes(node)));
  }

  async #finish(): Promise<readonly ProcessEvent[]> {
    const { processes, links, attacks, clock } = this.#stage;
    await attacks?.end();
    const endedUs = clock.nowUs();
    await processes.cancel();
    await Promise.all(this.#churning);
    const usage = await processes.usage(endedUs);
    this.#events.push(...usage);
    const linkUsage = await links.usage();
    if (linkUsage !== null) this.#events.push({ t: endedUs, e: "links", ...linkUsage });
    // A trace without an end is partial.
    if (!this.#deps.signal.aborted) this.#events.push({ t: endedUs, e: "end" });
    return usage;
  }

  async #merge(parts: readonly string[], tracePath: string): Promise<void> {
    try {
      await mergeTraces(this.#stage.header, parts, this.#events, tracePath);
    } catch (error) {
      throw unwritable(tracePath, error);
    }
  }
}
