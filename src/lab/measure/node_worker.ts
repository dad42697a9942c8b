/** A process that holds some of a run's nodes, and writes what they do into a trace of its own. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { privateKeyFromRaw, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { type CancelTimer, systemClock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { compressBlock } from "../../network/encoding.ts";
import { computeMessageId, messageIdToString } from "../../network/message_id.ts";
import { formatTopic, topicProfile } from "../../network/topics.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../spec/constants.ts";
import { TriggeredExit } from "../../spec/types.ts";
import { readNetworkDir } from "../../state/network_dir.ts";
import { createFixedViews, type FixedViews, MeasuredNode } from "./measured_node.ts";
import { type KnownMessage, Names, newNameFields } from "./names.ts";
import { randomFor } from "./params.ts";
import { SocketMeter } from "./socket_meter.ts";
import { MEASURED_TOPIC, type StackName } from "./stacks.ts";
import type { ProcessUsage } from "./trace.ts";
import { RecordBuilder } from "./trace_records.ts";
import { RecordWriter } from "./trace_writer.ts";
import { createTracer, type Tracer } from "./tracer.ts";
import { serve } from "./worker_process.ts";

export interface NodeSetup {
  /** Holds the network, and `exits.ssz`: the operations one after the other. */
  readonly networkDir: string;
  readonly tracePath: string;
  /** Which of the run's. */
  readonly process: number;
  readonly stack: StackName;
  /** Where its nodes listen. */
  readonly host: string;
  /** By index in the run; each with 32 bytes of private key, hex. */
  readonly nodes: readonly { readonly index: number; readonly key: string; readonly maxPeers: number }[];
  /** Of all nodes of the run. */
  readonly peerIds: readonly string[];
  readonly version: string;
  readonly seed: number;
  /** What this process's monotonic clock shows at the trace's t = 0. */
  readonly epochMonotonicMs: number;
  /** False: no trace, for measuring what it costs. */
  readonly trace: boolean;
}

export interface Publication {
  readonly message: number;
  readonly node: number;
  /** From the trace's t = 0. */
  readonly atMs: number;
}

export interface Schedule {
  readonly publications: readonly Publication[];
  /** From when on usage is counted. */
  readonly countFromMs: number;
}

export const EXITS_FILE = "exits.ssz";
const SAMPLE_INTERVAL_MS = 1_000;
/** Node's histogram holds this beside the delay. */
const LOOP_SAMPLE_MS = 10;
/** Dials at once in this process: each costs two handshakes. */
const PARALLEL_DIALS = 8;
/** A link that cannot be dialed is tried again: the other end may be busy with its own handshakes. */
const DIAL_TRIES = 4;

class Host {
  readonly #setup: NodeSetup;
  readonly #views: FixedViews;
  readonly #exits: readonly TriggeredExit[];
  readonly #names: Names;
  readonly #writer: RecordWriter;
  readonly #builder: RecordBuilder;
  readonly #nodes = new Map<number, { node: MeasuredNode; tracer: Tracer | null }>();
  readonly #timers = new Set<CancelTimer>();
  #deliveredByGone = 0;
  readonly topic: string;
  readonly messages: readonly KnownMessage[];

  constructor(setup: NodeSetup, views: FixedViews, exits: readonly Uint8Array[]) {
    this.#setup = setup;
    this.#views = views;
    this.#exits = exits.map((ssz) => TriggeredExit.deserialize(ssz));
    this.topic = formatTopic(MEASURED_TOPIC, views.forkDigest);
    const { maxSizeBytes } = topicProfile(MEASURED_TOPIC);
    this.messages = exits.map((ssz) => {
      const wireData = compressBlock(ssz);
      return { id: messageIdToString(computeMessageId(this.topic, wireData, maxSizeBytes)), wireData };
    });
    this.#writer = new RecordWriter(setup.tracePath);
    this.#names = new Names(
      { topics: [this.topic], peers: setup.peerIds, messages: this.messages },
      (kind, index, id, topic) => this.write(newNameFields(kind, index, id, topic)),
      setup.process,
    );
    this.#builder = new RecordBuilder(this.#names);
    this.#every(SAMPLE_INTERVAL_MS, () => {
      for (const { tracer } of this.#nodes.values()) tracer?.sample();
    });
  }

  get lost(): number {
    return this.#writer.lost;
  }

  /** Whole microseconds of the trace. */
  now(): number {
    return Math.round((systemClock.monotonicMs() - this.#setup.epochMonotonicMs) * 1000);
  }

  write(fields: string): void {
    this.#writer.take(this.#builder.text(fields).end(this.now()));
  }

  /** Resolves to the address that the node listens on. */
  async start(index: number): Promise<string> {
    const plan = this.#setup.nodes.find((candidate) => candidate.index === index);
    if (plan === undefined) throw new CodedError("WORKER_FAILED", `node ${index} is not of this process`);
    const options = {
      node: index,
      names: this.#names,
      sink: this.#writer,
      now: () => this.now(),
      topics: [this.topic],
    };
    const tracer = this.#setup.trace ? createTracer(options) : null;
    const { seed, stack, host, version } = this.#setup;
    const privateKey = privateKeyToProtobuf(privateKeyFromRaw(Buffer.from(plan.key, "hex")));
    const node = new MeasuredNode(
      { stack, privateKey, host, maxPeers: plan.maxPeers, version },
      {
        views: this.#views,
        tracer,
        isCounted: (wireData) => this.#names.isKnown(wireData),
        clock: systemClock,
        random: randomFor(seed, `node ${index}`),
      },
    );
    await node.start();
    this.#nodes.set(index, { node, tracer });
    this.write(`"e":"up","n":${index}`);
    return node.address;
  }

  async stop(index: number): Promise<void> {
    const entry = this.#nodes.get(index);
    if (entry === undefined) return;
    this.#nodes.delete(index);
    this.write(`"e":"down","n":${index}`);
    this.#deliveredByGone += entry.node.delivered;
    await entry.node.stop();
  }

  /** Dials all; resolves to how many failed. */
  async dial(links: readonly { from: number; address: string }[]): Promise<number> {
    const queue = [...links];
    let failed = 0;
    const dialOne = async ({ from, address }: { from: number; address: string }) => {
      for (let tries = 0; tries < DIAL_TRIES; tries++) {
        const isConnected = await this.#nodes
          .get(from)
          ?.node.dial(address)
          .then(
            () => true,
            () => false,
          );
        // Its node has left meanwhile, or it worked.
        if (isConnected !== false) return;
      }
      failed++;
    };
    const workers = Array.from({ length: PARALLEL_DIALS }, async () => {
      for (let link = queue.shift(); link !== undefined; link = queue.shift()) await dialOne(link);
    });
    await Promise.all(workers);
    return failed;
  }

  meshes(): { index: number; mesh: number; peers: number }[] {
    return [...this.#nodes].map(([index, { node }]) => ({ index, mesh: node.meshSize, peers: node.peerCount }));
  }

  /** Messages that nodes here have accepted, over all of the run. */
  get delivered(): number {
    let delivered = this.#deliveredByGone;
    for (const { node } of this.#nodes.values()) delivered += node.delivered;
    return delivered;
  }

  schedule({ publications, countFromMs }: Schedule, onCount: () => void): void {
    this.#at(countFromMs, onCount);
    for (const publication of publications) this.#at(publication.atMs, () => this.#publish(publication));
  }

  #publish({ message, node, atMs }: Publication): void {
    const exit = this.#exits[message];
    if (exit !== undefined) void this.#nodes.get(node)?.node.publish(exit, message, this.now() / 1000 - atMs);
  }

  #at(atMs: number, task: () => void): void {
    const cancel = systemClock.after(atMs - this.now() / 1000, () => {
      this.#timers.delete(cancel);
      task();
    });
    this.#timers.add(cancel);
  }

  #every(intervalMs: number, task: () => void): void {
    this.#timers.add(systemClock.every(intervalMs, task));
  }

  /** No publication comes any more, no node leaves any more. */
  cancel(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  async close(): Promise<void> {
    this.cancel();
    await this.#writer.close();
    await Promise.all([...this.#nodes.values()].map(({ node }) => node.stop()));
  }
}

const sockets = new SocketMeter();
const loop = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
let host: Host | null = null;
let startedMs = 0;
let startedCpu = process.cpuUsage();
let startedSockets = sockets.read();

function mustHost(): Host {
  if (host === null) throw new CodedError("WORKER_FAILED", "The process has not been set up");
  return host;
}

function startUsage(): void {
  startedMs = systemClock.monotonicMs();
  startedCpu = process.cpuUsage();
  startedSockets = sockets.read();
  loop.reset();
  loop.enable();
}

export const methods = {
  now(_: null): number {
    return systemClock.monotonicMs();
  },

  /** Resolves to what the trace's header says of messages. */
  async setup(setup: NodeSetup): Promise<{ topic: string; messages: { id: string; sizeBytes: number }[] }> {
    const { genesisState } = await readNetworkDir(setup.networkDir);
    const bytes = new Uint8Array(await readFile(join(setup.networkDir, EXITS_FILE)));
    const exits = Array.from({ length: bytes.length / TRIGGERED_EXIT_SIZE_BYTES }, (_, i) =>
      bytes.subarray(i * TRIGGERED_EXIT_SIZE_BYTES, (i + 1) * TRIGGERED_EXIT_SIZE_BYTES),
    );
    host = new Host(setup, createFixedViews(genesisState), exits);
    return {
      topic: host.topic,
      messages: host.messages.map(({ id, wireData }) => ({ id, sizeBytes: wireData.length })),
    };
  },

  /** Resolves to the addresses, in the order asked for. */
  async start(nodes: readonly number[]): Promise<string[]> {
    const addresses: string[] = [];
    for (const index of nodes) addresses.push(await mustHost().start(index));
    return addresses;
  },

  stop: (node: number): Promise<void> => mustHost().stop(node),
  dial: (links: readonly { from: number; address: string }[]): Promise<number> => mustHost().dial(links),
  meshes: (_: null) => mustHost().meshes(),
  delivered: (_: null): number => mustHost().delivered,
  schedule: (schedule: Schedule): void => mustHost().schedule(schedule, startUsage),

  usage(_: null): Omit<ProcessUsage, "process" | "nodes" | "clockErrorMs"> {
    const { user, system } = process.cpuUsage(startedCpu);
    const { bytesIn, bytesOut } = sockets.read();
    return {
      cpuMs: (user + system) / 1000,
      wallMs: systemClock.monotonicMs() - startedMs,
      rssBytes: process.memoryUsage.rss(),
      loopP99Ms: Math.max(0, loop.percentile(99) / 1e6 - LOOP_SAMPLE_MS),
      loopMaxMs: Math.max(0, loop.max / 1e6 - LOOP_SAMPLE_MS),
      socketBytesIn: bytesIn - startedSockets.bytesIn,
      socketBytesOut: bytesOut - startedSockets.bytesOut,
      lost: mustHost().lost,
    };
  },

  cancel: (_: null): void => mustHost().cancel(),
  close: (_: null): Promise<void> => mustHost().close(),
};
export type NodeMethods = typeof methods;

serve(methods);
