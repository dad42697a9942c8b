/** Runs one network, and leaves its trace. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type CancelTimer, type Clock, sleep } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { writeNetworkDir } from "../../state/network_dir.ts";
import { ATTACK_SHARE } from "../fuzz/attackers.ts";
import { makeOwnNetwork } from "../fuzz/fixture.ts";
import { socketAddress } from "../fuzz/sockets.ts";
import type { AttackMethods } from "./attack_worker.ts";
import type { MeasuredAttack } from "./attacks.ts";
import { processCount, readMachine } from "./capacity.ts";
import type { LinkMethods } from "./link_worker.ts";
import { isShaped, parseBandwidth, parseLatency, placeNodes, shapeOf } from "./links/model.ts";
import { HERE, NetworkNamespaces, type Place } from "./netns.ts";
import { EXITS_FILE, type NodeMethods } from "./node_worker.ts";
import { type MeasureParams, randomFor } from "./params.ts";
import { type ChurnEvent, planRun, type RunPlan } from "./plan.ts";
import { MESH_LOW } from "./stacks.ts";
import { type Link, neighboursOf, range, type Topology } from "./topology.ts";
import { type AttackOutcome, TRACE_VERSION, type TraceEvent, type TraceHeader } from "./trace.ts";
import { mergeTraces } from "./trace_file.ts";
import { type ClockReading, WorkerProcess } from "./worker_process.ts";

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
  readonly processes: Extract<TraceEvent, { e: "process" }>[];
}

/** For a mesh everywhere; what is thinner then is measured as it is. */
const MESH_DEADLINE_MS = 20_000;
/** A link at worst: four dials of 5 s, eight links at once. */
const DIAL_WORK_MS = 2_500;
const POLL_MS = 100;
/** Between the last preparations and the first message. */
const LEAD_MS = 300;
/** Copies that are still under way when all is delivered. */
const GRACE_MS = 500;

const NOTHING_SENT = { identities: 0, rpcs: 0, messages: 0, bytes: 0, hungUp: 0, faults: [] };

/** Writes the trace to `tracePath`. Throws a `CodedError`: of the parsers, `WORKER_LOST`. */
export async function runNetwork(
  params: MeasureParams,
  topology: Topology,
  tracePath: string,
  deps: RunDeps,
): Promise<RunOutcome> {
  const dir = await mkdtemp(join(tmpdir(), "msgbus-measure-"));
  const run = new Run(params, topology, { dir, tracePath }, deps);
  try {
    return await run.run();
  } finally {
    await run.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

interface NodeProcess {
  readonly worker: WorkerProcess<NodeMethods>;
  readonly nodes: readonly number[];
  readonly has: ReadonlySet<number>;
  clock: ClockReading;
}

class Run {
  readonly #params: MeasureParams;
  readonly #topology: Topology;
  readonly #paths: { readonly dir: string; readonly tracePath: string };
  readonly #deps: RunDeps;
  readonly #plan: RunPlan;
  readonly #keys: readonly string[];
  readonly #linkIndices: ReadonlyMap<Link, number>;
  readonly #processes: NodeProcess[] = [];
  readonly #events: TraceEvent[] = [];
  readonly #away = new Set<number>();
  #namespaces: NetworkNamespaces | null = null;
  #linkWorker: WorkerProcess<LinkMethods> | null = null;
  /** Of shaped links, in the topology's order. */
  #linkPorts: readonly number[] = [];
  readonly #addresses: string[] = [];
  #epochMonotonicMs = 0;
  #epochMs = 0;
  #failedLinks = 0;
  #churning: Promise<unknown>[] = [];
  #attackWorker: WorkerProcess<AttackMethods> | null = null;
  readonly #attacking: Promise<void>[] = [];

  constructor(
    params: MeasureParams,
    topology: Topology,
    paths: { readonly dir: string; readonly tracePath: string },
    deps: RunDeps,
  ) {
    this.#params = params;
    this.#topology = topology;
    this.#paths = paths;
    this.#deps = deps;
    this.#plan = planRun(params);
    this.#linkIndices = new Map(topology.links.map((link, index) => [link, index]));
    const random = randomFor(params.seed, "identities");
    this.#keys = range(topology.nodes).map(() => Buffer.from(random.bytes(32)).toString("hex"));
  }

  async run(): Promise<RunOutcome> {
    const { signal, onProgress, trace = true } = this.#deps;
    onProgress({ phase: "starting", done: 0, total: this.#topology.nodes });
    const header = await this.#start(processCount(readMachine(), this.#topology.nodes));
    onProgress({ phase: "connecting", done: 0, total: this.#topology.links.length });
    if (!signal.aborted) await this.#connect();
    if (!signal.aborted) await this.#untilMeshed();
    if (!signal.aborted) await this.#publish();
    onProgress({ phase: "finishing", done: 0, total: 1 });
    const processes = await this.#finish();
    if (trace) {
      const parts = this.#processes.map((_, index) => this.#partPath(index));
      await mergeTraces(header, parts, this.#events, this.#paths.tracePath);
    }
    return { failedLinks: this.#failedLinks, processes };
  }

  #partPath(index: number): string {
    return join(this.#paths.dir, `trace.${index}.ndjson`);
  }

  get #hub(): Place {
    return this.#namespaces?.hub ?? HERE;
  }

  #place(process: number): Place {
    return this.#namespaces?.places[process] ?? HERE;
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs() - this.#epochMonotonicMs;
  }

  #nowUs(): number {
    return Math.round(this.#nowMs() * 1000);
  }

  /** Everybody is up, and nobody connected. */
  async #start(processes: number): Promise<TraceHeader> {
    const { clock, version, trace = true } = this.#deps;
    const { seed, stack } = this.#params;
    const { dir } = this.#paths;
    const total = this.#plan.publications.length;
    const { attacks, attackRate, netns } = this.#params;
    if (netns) this.#namespaces = await NetworkNamespaces.open(processes);
    const validCount = total + attacks.length * ATTACK_SHARE;
    const nowS = Math.floor(clock.nowMs() / 1000);
    const own = makeOwnNetwork(validCount, nowS);
    await writeNetworkDir(dir, { network: own.network, genesisState: own.finalized, bootnodes: [], deployBlock: 0 });
    await writeFile(join(dir, EXITS_FILE), Buffer.concat(own.fixture.valid.slice(0, total)));
    if (attacks.length > 0) {
      this.#attackWorker = new WorkerProcess<AttackMethods>("attack_worker", clock, this.#hub.enter);
      await this.#attackWorker.call("setup", { validCount, nowS, seed, rate: attackRate });
    }

    const peerIds = this.#keys.map((key) =>
      peerIdFromPrivateKey(privateKeyFromRaw(Buffer.from(key, "hex"))).toString(),
    );
    const neighbours = neighboursOf(this.#topology);
    for (const process of range(processes)) {
      const nodes = range(this.#topology.nodes).filter((node) => node % processes === process);
      const worker = new WorkerProcess<NodeMethods>("node_worker", clock, this.#place(process).enter);
      this.#processes.push({ worker, nodes, has: new Set(nodes), clock: { offsetMs: 0, errorMs: 0 } });
    }
    for (const process of this.#processes) process.clock = await process.worker.readClock();
    this.#epochMonotonicMs = clock.monotonicMs();
    this.#epochMs = clock.nowMs();
    const setups = await Promise.all(
      this.#processes.map(({ worker, nodes, clock: { offsetMs } }, index) =>
        worker.call("setup", {
          networkDir: dir,
          tracePath: this.#partPath(index),
          process: index,
          stack,
          host: this.#place(index).host,
          nodes: nodes.map((node) => ({
            index: node,
            key: this.#keys[node] as string,
            maxPeers: neighbours[node]?.length ?? 0,
          })),
          peerIds,
          version,
          seed,
          epochMonotonicMs: this.#epochMonotonicMs + offsetMs,
          trace,
        }),
      ),
    );
    await Promise.all(
      this.#processes.map(async ({ worker, nodes }) => {
        const addresses = await worker.call("start", nodes);
        for (const [k, node] of nodes.entries()) this.#addresses[node] = addresses[k] as string;
      }),
    );
    const { topic = "", messages = [] } = setups[0] ?? {};
    return {
      e: "run",
      version: TRACE_VERSION,
      epochMs: this.#epochMs,
      topics: [topic],
      nodes: peerIds,
      messages: messages.map(({ id }) => id),
      payloadBytes: messages.map(({ sizeBytes }) => sizeBytes),
      firstCounted: this.#params.warmupMessages,
    };
  }

  async #connect(): Promise<void> {
    const { links, nodes } = this.#topology;
    const { latency, bandwidth, loss, seed } = this.#params;
    if (isShaped(this.#params)) {
      const model = parseLatency(latency);
      const cities = placeNodes(model, nodes, randomFor(seed, "cities"));
      this.#linkWorker = new WorkerProcess<LinkMethods>("link_worker", this.#deps.clock, this.#hub.enter);
      this.#linkPorts = await this.#linkWorker.call("open", {
        host: this.#hub.host,
        links: links.map(([from, to]) => ({
          nodes: [from, to],
          shape: shapeOf(model, loss, cities === null ? null : [cities[from] as number, cities[to] as number]),
        })),
        uploadBytesPerMs: parseBandwidth(bandwidth),
        seed,
      });
      await Promise.all(links.map((link, index) => this.#aim(link, index)));
    }
    await this.#dial(links);
  }

  /** Tells the shaped link where its dialed node listens. */
  async #aim([, to]: Link, link: number): Promise<void> {
    const { host, port } = socketAddress(this.#addresses[to] as string);
    await this.#linkWorker?.call("target", { link, host, port });
  }

  async #dial(links: readonly Link[]): Promise<void> {
    const failed = this.#processes.map(async ({ worker, has }) => {
      const own = links.filter(([from, to]) => has.has(from) && !this.#away.has(from) && !this.#away.has(to));
      return own.length === 0
        ? 0
        : worker.call(
            "dial",
            own.map((link) => ({ from: link[0], address: this.#pathOf(link) })),
            own.length * DIAL_WORK_MS,
          );
    });
    for (const count of await Promise.all(failed)) this.#failedLinks += count;
  }

  #pathOf(link: Link): string {
    const address = this.#addresses[link[1]] as string;
    const port = this.#linkPorts[this.#linkIndices.get(link) ?? -1];
    return port === undefined
      ? address
      : address.replace(/^\/ip4\/[^/]+\/tcp\/\d+\//, `/ip4/${this.#hub.host}/tcp/${port}/`);
  }

  async #untilMeshed(): Promise<void> {
    const { clock, signal, onProgress } = this.#deps;
    const neighbours = neighboursOf(this.#topology);
    const deadlineMs = clock.monotonicMs() + MESH_DEADLINE_MS;
    for (;;) {
      const meshes = (await Promise.all(this.#processes.map(({ worker }) => worker.call("meshes", null)))).flat();
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
    const { publications, churn, countFromMs, lastMs } = this.#plan;
    const beginMs = this.#nowMs() + LEAD_MS;
    const countingMs = beginMs + countFromMs - LEAD_MS / 2;
    await this.#linkWorker?.call("startUsage", null);
    await Promise.all(
      this.#processes.map(({ worker, has }) =>
        worker.call("schedule", {
          publications: publications
            .filter(({ node }) => has.has(node))
            .map(({ message, node, atMs }) => ({ message, node, atMs: beginMs + atMs })),
          countFromMs: countingMs,
        }),
      ),
    );
    const cancelChurn = churn.map((event) =>
      clock.after(beginMs + event.atMs - this.#nowMs(), () => this.#churning.push(this.#churn(event).catch(() => {}))),
    );
    const cancelAttacks = this.#scheduleAttacks(beginMs + countFromMs);
    await this.#waitUntil(countingMs, "warming");
    if (!signal.aborted) this.#events.push({ t: Math.round(countingMs * 1000), e: "start" });
    await this.#waitUntil(beginMs + lastMs, "measuring");
    await this.#untilDelivered(beginMs + lastMs + this.#params.deadlineMs);
    for (const cancel of [...cancelChurn, ...cancelAttacks]) cancel();
    if (!signal.aborted) await sleep(clock, GRACE_MS, signal);
  }

  /** @param firstMs when the first counted message is published, by the trace's clock. */
  #scheduleAttacks(firstMs: number): CancelTimer[] {
    return this.#params.attacks.map((attack, index) =>
      this.#deps.clock.after(firstMs + attack.fromMs - this.#nowMs(), () =>
        this.#attacking.push(this.#attack(attack, index)),
      ),
    );
  }

  async #attack({ name, fromMs, toMs }: MeasuredAttack, index: number): Promise<void> {
    const n = this.#plan.target;
    this.#events.push({ t: this.#nowUs(), e: "attack", n, name });
    const addresses = [this.#addresses[n] as string, ...this.#addresses.filter((_, node) => node !== n)];
    const durationMs = toMs - fromMs;
    const outcome = await this.#attackWorker
      ?.call("attack", { index, name, addresses, durationMs }, durationMs)
      .catch((error): AttackOutcome => ({ ...NOTHING_SENT, skipped: errorMessage(error) }));
    if (outcome !== undefined) this.#events.push({ t: this.#nowUs(), e: "attacked", n, name, ...outcome });
  }

  #expected(): number {
    return this.#plan.publications.length * (this.#topology.nodes - 1);
  }

  async #delivered(): Promise<number> {
    const counts = await Promise.all(this.#processes.map(({ worker }) => worker.call("delivered", null)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** By the trace's clock. */
  async #waitUntil(atMs: number, phase: RunPhase): Promise<void> {
    const { clock, signal, onProgress } = this.#deps;
    while (!signal.aborted && this.#nowMs() < atMs) {
      onProgress({ phase, done: await this.#delivered(), total: this.#expected() });
      await sleep(clock, Math.min(5 * POLL_MS, atMs - this.#nowMs()), signal);
    }
  }

  async #untilDelivered(deadlineMs: number): Promise<void> {
    const { clock, signal } = this.#deps;
    while (!signal.aborted && this.#nowMs() < deadlineMs && (await this.#delivered()) < this.#expected()) {
      await sleep(clock, POLL_MS, signal);
    }
  }

  async #churn({ node, kind }: ChurnEvent): Promise<void> {
    const process = this.#processes.find(({ has }) => has.has(node));
    if (process === undefined) return;
    if (kind === "leave") {
      this.#away.add(node);
      await process.worker.call("stop", node);
      return;
    }
    const [address] = await process.worker.call("start", [node]);
    this.#addresses[node] = address as string;
    this.#away.delete(node);
    const links = this.#topology.links.filter((link) => link.includes(node));
    if (this.#linkWorker !== null) {
      await Promise.all(links.map((link) => this.#aim(link, this.#linkIndices.get(link) ?? -1)));
    }
    await this.#dial(links);
  }

  async #finish(): Promise<Extract<TraceEvent, { e: "process" }>[]> {
    await this.#attackWorker?.call("end", null);
    await Promise.all(this.#attacking);
    const endedUs = this.#nowUs();
    await Promise.all(this.#processes.map(({ worker }) => worker.call("cancel", null)));
    await Promise.all(this.#churning);
    const processes = await Promise.all(
      this.#processes.map(async ({ worker, nodes, clock }, index) => {
        const usage = await worker.call("usage", null);
        const { offsetMs, errorMs } = await worker.readClock();
        // What it was wrong by at first, and has drifted since.
        const clockErrorMs = Math.max(clock.errorMs, errorMs) + Math.abs(offsetMs - clock.offsetMs);
        return { t: endedUs, e: "process", process: index, nodes, ...usage, clockErrorMs } as const;
      }),
    );
    this.#events.push(...processes);
    if (this.#linkWorker !== null) {
      this.#events.push({ t: endedUs, e: "links", ...(await this.#linkWorker.call("usage", null)) });
    }
    // A trace without an end is partial.
    if (!this.#deps.signal.aborted) this.#events.push({ t: endedUs, e: "end" });
    await Promise.all(this.#processes.map(({ worker }) => worker.call("close", null)));
    return processes;
  }

  async stop(): Promise<void> {
    const workers = [...this.#processes.map(({ worker }) => worker), this.#linkWorker, this.#attackWorker];
    const results = await Promise.allSettled(workers.map((worker) => worker?.stop()));
    await this.#namespaces?.close();
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined)
      throw new CodedError("WORKER_LOST", `A process did not stop: ${errorMessage(failed.reason)}`);
  }
}
