/** The processes that hold a run's nodes. */
import { join } from "node:path";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Clock } from "../../base/clock.ts";
import { HERE, type NetworkNamespaces } from "./netns.ts";
import type { NodeMethods, Publication } from "./node_worker.ts";
import { type MeasureParams, randomFor } from "./params.ts";
import { neighboursOf, range, type Topology } from "./topology.ts";
import type { TraceEvent, TraceHeader } from "./trace.ts";
import type { TraceClock } from "./trace_clock.ts";
import { type ClockReading, WorkerProcess } from "./worker_process.ts";

/** A link at worst: four dials of 5 s, eight links at once. */
const DIAL_WORK_MS = 2_500;

export interface NodeProcessesOptions {
  readonly params: MeasureParams;
  readonly topology: Topology;
  /** Holds the network and the exits; takes the processes' traces. */
  readonly dir: string;
  /** How many processes. */
  readonly count: number;
  readonly namespaces: NetworkNamespaces | null;
  readonly version: string;
  /** False: without a trace. */
  readonly trace: boolean;
}

export type ProcessEvent = Extract<TraceEvent, { e: "process" }>;

interface NodeProcess {
  readonly worker: WorkerProcess<NodeMethods>;
  readonly host: string;
  readonly nodes: readonly number[];
  readonly has: ReadonlySet<number>;
  readonly tracePath: string;
  /** At the run's begin. */
  clock: ClockReading;
}

export class NodeProcesses {
  readonly #options: NodeProcessesOptions;
  readonly #processes: readonly NodeProcess[];
  readonly #keys: readonly string[];
  readonly #peerIds: readonly string[];
  /** By node; a node that came back has a new one. */
  readonly #addresses: string[] = [];

  constructor(options: NodeProcessesOptions, clock: Clock) {
    const { params, topology, dir, count, namespaces } = options;
    this.#options = options;
    const random = randomFor(params.seed, "identities");
    const keys = range(topology.nodes).map(() => random.bytes(32));
    this.#keys = keys.map((key) => Buffer.from(key).toString("hex"));
    this.#peerIds = keys.map((key) => peerIdFromPrivateKey(privateKeyFromRaw(key)).toString());
    this.#processes = range(count).map((index) => {
      const nodes = range(topology.nodes).filter((node) => node % count === index);
      const { host, enter } = namespaces?.places[index] ?? HERE;
      const worker = new WorkerProcess<NodeMethods>("node_worker", clock, enter);
      const tracePath = join(dir, `trace.${index}.records`);
      return { worker, host, nodes, has: new Set(nodes), tracePath, clock: { offsetMs: 0, errorMs: 0 } };
    });
  }

  async readClocks(): Promise<void> {
    for (const process of this.#processes) process.clock = await process.worker.readClock();
  }

  /** Every node is up, and none connected; resolves to what the trace's header tells of them. */
  async start({
    epochMonotonicMs,
  }: TraceClock): Promise<Pick<TraceHeader, "topics" | "nodes" | "messages" | "payloadBytes">> {
    const { params, topology, dir, version, trace } = this.#options;
    const neighbours = neighboursOf(topology);
    const setups = await Promise.all(
      this.#processes.map(({ worker, host, nodes, tracePath, clock }, process) =>
        worker.call("setup", {
          networkDir: dir,
          tracePath,
          process,
          stack: params.stack,
          host,
          nodes: nodes.map((node) => ({
            index: node,
            key: this.#keys[node] as string,
            maxPeers: neighbours[node]?.length ?? 0,
          })),
          peerIds: this.#peerIds,
          version,
          seed: params.seed,
          epochMonotonicMs: epochMonotonicMs + clock.offsetMs,
          trace,
        }),
      ),
    );
    await Promise.all(this.#processes.map((process) => this.#startNodes(process, process.nodes)));
    const { topic = "", messages = [] } = setups[0] ?? {};
    return {
      topics: [topic],
      nodes: this.#peerIds,
      messages: messages.map(({ id }) => id),
      payloadBytes: messages.map(({ sizeBytes }) => sizeBytes),
    };
  }

  async #startNodes({ worker }: NodeProcess, nodes: readonly number[]): Promise<void> {
    const addresses = await worker.call("start", nodes);
    for (const [k, node] of nodes.entries()) this.#addresses[node] = addresses[k] as string;
  }

  #holderOf(node: number): NodeProcess {
    return this.#processes[node % this.#processes.length] as NodeProcess;
  }

  addressOf(node: number): string {
    return this.#addresses[node] as string;
  }

  /** A node that has left comes back. */
  startNode(node: number): Promise<void> {
    return this.#startNodes(this.#holderOf(node), [node]);
  }

  /** With a goodbye. */
  async stopNode(node: number): Promise<void> {
    await this.#holderOf(node).worker.call("stop", node);
  }

  /** Resolves to how many could not be dialed. */
  async dial(dials: readonly { readonly from: number; readonly address: string }[]): Promise<number> {
    const failed = this.#processes.map(({ worker, has }) => {
      const own = dials.filter(({ from }) => has.has(from));
      return own.length === 0 ? 0 : worker.call("dial", own, own.length * DIAL_WORK_MS);
    });
    return sum(await Promise.all(failed));
  }

  /** Mesh sizes of the nodes that are up. */
  async meshes(): Promise<{ index: number; mesh: number }[]> {
    return (await Promise.all(this.#processes.map(({ worker }) => worker.call("meshes", null)))).flat();
  }

  /** Of all nodes so far. */
  async delivered(): Promise<number> {
    return sum(await Promise.all(this.#processes.map(({ worker }) => worker.call("delivered", null))));
  }

  /** @param countFromMs when usage begins to count; all times are the trace's. */
  async schedule(publications: readonly Publication[], countFromMs: number): Promise<void> {
    await Promise.all(
      this.#processes.map(({ worker, has }) =>
        worker.call("schedule", { publications: publications.filter(({ node }) => has.has(node)), countFromMs }),
      ),
    );
  }

  /** Nothing is published any more. */
  async cancel(): Promise<void> {
    await Promise.all(this.#processes.map(({ worker }) => worker.call("cancel", null)));
  }

  /** @param t of the events. */
  usage(t: number): Promise<ProcessEvent[]> {
    return Promise.all(
      this.#processes.map(async ({ worker, nodes, clock }, process) => {
        const usage = await worker.call("usage", null);
        const { offsetMs, errorMs } = await worker.readClock();
        // What it was wrong by at first, and has drifted since.
        const clockErrorMs = Math.max(clock.errorMs, errorMs) + Math.abs(offsetMs - clock.offsetMs);
        return { t, e: "process", process, nodes, ...usage, clockErrorMs } as const;
      }),
    );
  }

  /** Nodes leave, and traces are written out; resolves to their paths. */
  async close(): Promise<string[]> {
    await Promise.all(this.#processes.map(({ worker }) => worker.call("close", null)));
    return this.#processes.map(({ tracePath }) => tracePath);
  }

  /** Rejects where a process did not end. */
  async stop(): Promise<void> {
    const results = await Promise.allSettled(this.#processes.map(({ worker }) => worker.stop()));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
