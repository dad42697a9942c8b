/** What some observers saw of a network, from their common trace. */
import { type Distribution, distributionOf, quantile } from "./statistics.ts";
import type { TraceEvent } from "./trace.ts";
import type { TraceReading } from "./trace_file.ts";
import { TraceNames } from "./trace_names.ts";

export interface ObservedTopic {
  readonly topic: string;
  readonly messages: number;
  /** Messages that reached every observer. */
  readonly complete: number;
  /** Observers that each message reached. */
  readonly coverage: Distribution | null;
  /** Between the first and the last observer that a message reached. */
  readonly spreadMs: Distribution | null;
  /** Further copies for each first one. */
  readonly duplicates: number | null;
  /** Of blocks: from the beginning of the slot to the first observer. */
  readonly sinceSlotStartMs: Distribution | null;
  readonly mesh: { readonly min: number; readonly median: number; readonly max: number } | null;
}

export interface ObservedPeer {
  readonly peerId: string;
  readonly agent: string | null;
  /** Messages that it was the first to bring to an observer, and to any of them. */
  readonly firsts: number;
  readonly firstOfAll: number;
  readonly copies: number;
  readonly ihaveRpcs: number;
  readonly ihaveIds: number;
  /** Of those ids: ones that the observer had not got yet. */
  readonly ihaveNews: number;
  readonly grafts: number;
  readonly prunes: number;
}

export interface ObservedReport {
  readonly version: 1;
  readonly partial: boolean;
  readonly seconds: number;
  readonly observers: number;
  readonly topics: readonly ObservedTopic[];
  /** By who was first most often. */
  readonly peers: readonly ObservedPeer[];
}

export interface ObservedContext {
  readonly genesisMs: number;
  readonly slotMs: number;
  /** Agents by peer id. */
  readonly peers: ReadonlyMap<string, string | null>;
}

type Counts = { -readonly [K in keyof Omit<ObservedPeer, "peerId" | "agent">]: number };

export class ObservedTrace {
  readonly #reading: TraceReading;
  readonly #context: ObservedContext;
  readonly #names: TraceNames;
  /** Arrivals by message: observer and time, the first at the head. */
  readonly #arrivals = new Map<number, Map<number, number>>();
  readonly #topicOf = new Map<number, number>();
  readonly #copies = new Map<number, number>();
  readonly #peers = new Map<number, Counts>();
  readonly #mesh: number[][];
  #startT = 0;
  #lastT = 0;
  #isComplete = false;

  constructor(reading: TraceReading, context: ObservedContext) {
    this.#reading = reading;
    this.#context = context;
    this.#names = new TraceNames(reading.header);
    this.#mesh = reading.header.topics.map(() => []);
  }

  async report(): Promise<ObservedReport> {
    for await (const event of this.#reading.events) this.#take(event);
    const { header, brokenAtLine } = this.#reading;
    return {
      version: 1,
      partial: !this.#isComplete || brokenAtLine() !== null,
      seconds: (this.#lastT - this.#startT) / 1e6,
      observers: header.nodes.length,
      topics: header.topics.map((topic, index) => this.#topic(topic, index)),
      peers: this.#peerReports(),
    };
  }

  #take(event: TraceEvent): void {
    this.#lastT = event.t;
    this.#names.take(event);
    switch (event.e) {
      case "start":
        this.#startT = event.t;
        break;
      case "end":
        this.#isComplete = true;
        break;
      case "message":
        this.#topicOf.set(event.i, event.c);
        break;
      case "sample":
        for (const [topic, size] of event.mesh.entries()) this.#mesh[topic]?.push(size);
        break;
      // An observer accepts nothing, so that this is what a first copy ends in.
      case "reject":
        this.#onFirst(event.n, event.p, event.m, event.t);
        break;
      case "duplicate":
        this.#countsOf(event.p).copies++;
        this.#copies.set(event.m, (this.#copies.get(event.m) ?? 0) + 1);
        break;
      case "recv":
        this.#onControl(event);
        break;
      default:
        break;
    }
  }

  #onFirst(observer: number, peer: number, message: number, t: number): void {
    const arrivals = this.#arrivals.get(message) ?? new Map<number, number>();
    this.#arrivals.set(message, arrivals);
    // Its id was forgotten, and the message came again.
    if (arrivals.has(observer)) return;
    const counts = this.#countsOf(peer);
    counts.firsts++;
    counts.copies++;
    if (arrivals.size === 0) counts.firstOfAll++;
    arrivals.set(observer, t);
  }

  #onControl({ n, p, ihave = [], graft = [], prune = [] }: Extract<TraceEvent, { e: "recv" | "send" | "drop" }>): void {
    const counts = this.#countsOf(p);
    counts.grafts += graft.length;
    counts.prunes += prune.length;
    if (ihave.length > 0) counts.ihaveRpcs++;
    for (const [, ids] of ihave) {
      counts.ihaveIds += ids.length;
      counts.ihaveNews += ids.filter((id) => this.#arrivals.get(id)?.has(n) !== true).length;
    }
  }

  #countsOf(peer: number): Counts {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const counts: Counts = {
      firsts: 0,
      firstOfAll: 0,
      copies: 0,
      ihaveRpcs: 0,
      ihaveIds: 0,
      ihaveNews: 0,
      grafts: 0,
      prunes: 0,
    };
    this.#peers.set(peer, counts);
    return counts;
  }

  #topic(topic: string, index: number): ObservedTopic {
    const messages = [...this.#arrivals].filter(([message]) => (this.#topicOf.get(message) ?? 0) === index);
    const arrivals = messages.map(([, times]) => [...times.values()]);
    const firsts = arrivals.reduce((sum, times) => sum + times.length, 0);
    const copies = messages.reduce((sum, [message]) => sum + (this.#copies.get(message) ?? 0), 0);
    const { header } = this.#reading;
    const mesh = [...(this.#mesh[index] ?? [])].sort((a, b) => a - b);
    return {
      topic,
      messages: messages.length,
      complete: arrivals.filter(({ length }) => length === header.nodes.length).length,
      coverage: distributionOf(arrivals.map(({ length }) => length)),
      spreadMs: distributionOf(
        arrivals.filter(({ length }) => length > 1).map((times) => (Math.max(...times) - Math.min(...times)) / 1000),
      ),
      duplicates: firsts === 0 ? null : copies / firsts,
      sinceSlotStartMs: topic.includes("/beacon_block/")
        ? distributionOf(arrivals.map((times) => this.#sinceSlotStart(Math.min(...times))))
        : null,
      mesh:
        mesh.length === 0
          ? null
          : { min: mesh[0] as number, median: quantile(mesh, 0.5) as number, max: mesh.at(-1) as number },
    };
  }

  #sinceSlotStart(t: number): number {
    const { genesisMs, slotMs } = this.#context;
    const sinceGenesisMs = this.#reading.header.epochMs + t / 1000 - genesisMs;
    return sinceGenesisMs - Math.floor(sinceGenesisMs / slotMs) * slotMs;
  }

  #peerReports(): ObservedPeer[] {
    const reports = [...this.#peers].map(([peer, counts]) => {
      const peerId = this.#names.peer(peer);
      return { peerId, agent: this.#context.peers.get(peerId) ?? null, ...counts };
    });
    return reports.sort((a, b) => b.firsts - a.firsts);
  }
}

export function observedText({ seconds, observers, topics, peers, partial }: ObservedReport): string {
  const ms = (values: Distribution | null) =>
    values === null ? "–" : `p50 ${values.p50} ms, p99 ${values.p99} ms, max ${values.max} ms`;
  const lines = [`${observers} observers, ${seconds.toFixed(1)} s${partial ? ", interrupted" : ""}`];
  for (const topic of topics) {
    lines.push(
      topic.topic,
      `  messages             ${topic.messages}, of which ${topic.complete} reached every observer`,
      `  first to last        ${ms(topic.spreadMs)}`,
      `  duplicates a message ${topic.duplicates?.toFixed(2) ?? "–"}`,
      `  mesh                 ${topic.mesh === null ? "–" : `${topic.mesh.min} to ${topic.mesh.max}, median ${topic.mesh.median}`}`,
    );
    if (topic.sinceSlotStartMs !== null) lines.push(`  since slot's start   ${ms(topic.sinceSlotStartMs)}`);
  }
  lines.push("peers, by how often they were first");
  for (const { peerId, agent, firsts, firstOfAll, copies, ihaveRpcs, ihaveIds, ihaveNews, grafts, prunes } of peers) {
    lines.push(
      `  ${peerId} (${agent ?? "unknown"}): first ${firsts} (of all ${firstOfAll}), copies ${copies}, ` +
        `IHAVE ${ihaveRpcs} with ${ihaveIds} ids (${ihaveNews} new), GRAFT ${grafts}, PRUNE ${prunes}`,
    );
  }
  return lines.join("\n");
}
