/**
 * Watches a network that is not ours, as ordinary peers would: some observers that subscribe, answer requests and never forward,
 * since they follow no chain by which they could judge. Nothing is published.
 */
import { rm } from "node:fs/promises";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { createNetwork } from "../../network/create_network.ts";
import { ALL_CURES } from "../../network/cures/index.ts";
import { createIdentity } from "../../network/identity.ts";
import { backendWithoutBlocks, type Network, type TopicName } from "../../network/network.ts";
import { formatTopic } from "../../network/topics.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "../../spec/config.ts";
import type { CachedState } from "../../state/beacon_state.ts";
import { readNetworkDir } from "../../state/network_dir.ts";
import type { Verdict } from "../../validation/verdict.ts";
import { createFixedViews } from "./measured_node.ts";
import { Names, newNameFields } from "./names.ts";
import { type ObservedReport, ObservedTrace } from "./observed_report.ts";
import { TRACE_VERSION, type TraceHeader } from "./trace.ts";
import { TraceClock } from "./trace_clock.ts";
import { readTrace } from "./trace_file.ts";
import { LineWriter } from "./trace_writer.ts";
import { createTracer } from "./tracer.ts";
import { watchedStack } from "./watched_stack.ts";

export interface ObserveOptions {
  /** Multiaddrs with peer ids. */
  readonly peers: readonly string[];
  readonly networkDir: string;
  readonly durationMs: number;
  readonly observers: number;
  readonly tracePath: string;
  readonly version: string;
}

export interface ObserveProgress {
  readonly elapsedMs: number;
  /** Met so far. */
  readonly peers: number;
  /** Messages that came, each once an observer. */
  readonly received: number;
}

export interface ObserveDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** At each sample. */
  onProgress(progress: ObserveProgress): void;
}

const TOPICS: readonly TopicName[] = ["triggered_exit", "beacon_block"];
const SAMPLE_INTERVAL_MS = 1_000;
/** For one of the peers to answer. */
const CONNECT_DEADLINE_MS = 15_000;
/** Not forwarded, and nobody's fault. */
const OBSERVED: Verdict = { result: "ignore", code: "NOT_SYNCED" };

/** Throws a `CodedError`: of `readNetworkDir` and `createNetwork`, `NO_PEERS` where none of the peers can be reached. */
export async function observe(options: ObserveOptions, deps: ObserveDeps): Promise<ObservedReport> {
  const { config, genesisState } = await readNetworkDir(options.networkDir);
  const observation = await Observation.start(options, deps, config, genesisState);
  let isConnected = false;
  try {
    await observation.untilConnected();
    isConnected = true;
    await observation.watch();
  } finally {
    await observation.stop();
    // The same command may be tried again.
    if (!isConnected) await rm(options.tracePath, { force: true });
  }
  const trace = new ObservedTrace(await readTrace(options.tracePath), {
    genesisMs: genesisState.genesisTime * 1000,
    slotMs: config.SLOT_DURATION_MS,
    peers: observation.agents,
  });
  return trace.report();
}

class Observation {
  readonly #options: ObserveOptions;
  readonly #deps: ObserveDeps;
  readonly #observers: { readonly network: Network; readonly sample: () => void }[] = [];
  readonly #writer: LineWriter;
  readonly #clock: TraceClock;
  /** Of peers that were met, by peer id. */
  readonly agents = new Map<string, string | null>();
  #received = 0;

  private constructor(options: ObserveOptions, deps: ObserveDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#writer = new LineWriter(options.tracePath);
    this.#clock = new TraceClock(deps.clock);
  }

  static async start(
    options: ObserveOptions,
    deps: ObserveDeps,
    config: MessageBusBeaconConfig,
    genesis: CachedState,
  ): Promise<Observation> {
    const observation = new Observation(options, deps);
    const { clock } = deps;
    const elapsedS = Math.max(0, clock.nowMs() / 1000 - genesis.genesisTime);
    const epoch = Math.floor((elapsedS * 1000) / config.SLOT_DURATION_MS / SLOTS_PER_EPOCH);
    const forkDigest = computeForkDigestHex(config, epoch);
    const topics = TOPICS.map((name) => formatTopic(name, forkDigest));
    const keys = await Promise.all(Array.from({ length: options.observers }, () => createIdentity()));
    const header: TraceHeader = {
      e: "run",
      version: TRACE_VERSION,
      epochMs: observation.#clock.epochMs,
      topics,
      nodes: keys.map(({ peerId }) => peerId),
      messages: [],
      payloadBytes: [],
      firstCounted: 0,
    };
    observation.#writer.write(JSON.stringify(header));
    const names = new Names({ topics, peers: header.nodes, messages: [] }, (...name) =>
      observation.#write(newNameFields(...name)),
    );
    const status = { ...createFixedViews(genesis).status, forkDigest: Buffer.from(forkDigest, "hex") };
    for (const [node, { privateKey }] of keys.entries()) {
      await observation.#addObserver(node, privateKey, { names, topics, forkDigest, status, config });
    }
    return observation;
  }

  async #addObserver(
    node: number,
    privateKey: Uint8Array,
    shared: {
      readonly names: Names;
      readonly topics: readonly string[];
      readonly forkDigest: string;
      readonly status: ReturnType<typeof createFixedViews>["status"];
      readonly config: MessageBusBeaconConfig;
    },
  ): Promise<void> {
    const { names, topics, forkDigest, status, config } = shared;
    const { clock, random } = this.#deps;
    const tracer = createTracer({
      node,
      names,
      topics,
      sink: this.#writer,
      now: () => this.#clock.nowUs(),
    });
    const network = createNetwork(
      {
        privateKey,
        listen: [],
        bootnodes: this.#options.peers,
        version: this.#options.version,
        slotMs: config.SLOT_DURATION_MS,
        slotsPerEpoch: SLOTS_PER_EPOCH,
        forkDigests: [forkDigest],
        targetPeers: this.#options.peers.length,
      },
      {
        backend: backendWithoutBlocks(() => status),
        onVerdict: () => {},
        clock,
        random,
        log: silentLogger,
      },
      ALL_CURES,
      watchedStack({ name: "tracer", install: ({ pubsub }) => tracer.attach(pubsub) }),
    );
    const handler = () => {
      this.#received++;
      return OBSERVED;
    };
    for (const name of TOPICS) network.subscribe({ name, forkDigest, handler });
    this.#observers.push({ network, sample: tracer.sample });
    await network.start();
    this.#write(`"e":"up","n":${node}`);
  }

  #write(fields: string): void {
    this.#writer.write(`{"t":${this.#clock.nowUs()},${fields}}`);
  }

  /** Peers that an observer is connected with. */
  #meet(): number {
    for (const { network } of this.#observers) {
      for (const { peerId, agent } of network.peers()) {
        this.agents.set(peerId, agent ?? this.agents.get(peerId) ?? null);
      }
    }
    return this.agents.size;
  }

  async untilConnected(): Promise<void> {
    const { clock, signal } = this.#deps;
    const deadlineMs = clock.monotonicMs() + CONNECT_DEADLINE_MS;
    while (this.#meet() === 0 && !signal.aborted) {
      if (clock.monotonicMs() > deadlineMs) {
        const peers = this.#options.peers.join(", ");
        throw new CodedError("NO_PEERS", `None of ${peers} can be reached, or they hung up: is it the same network?`, {
          peers,
        });
      }
      await sleep(clock, 100, signal);
    }
  }

  async watch(): Promise<void> {
    const { clock, signal, onProgress } = this.#deps;
    const startedMs = clock.monotonicMs();
    this.#write('"e":"start"');
    for (let elapsedMs = 0; elapsedMs < this.#options.durationMs && !signal.aborted; ) {
      for (const { sample } of this.#observers) sample();
      onProgress({ elapsedMs, peers: this.#meet(), received: this.#received });
      await sleep(clock, Math.min(SAMPLE_INTERVAL_MS, this.#options.durationMs - elapsedMs), signal);
      elapsedMs = clock.monotonicMs() - startedMs;
    }
    this.#meet();
    if (!signal.aborted) this.#write('"e":"end"');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#observers.map(({ network }) => network.stop()));
    await this.#writer.close();
  }
}
