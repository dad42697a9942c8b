/** From a trace to a report, in one pass. */
import type { RunPicture } from "../../page/report/data.ts";
import { AttackNotes, type PhasedMessage } from "./attack_report.ts";
import { graftBytes, idListBytes, ihaveBytes, pruneBytes, subscriptionBytes } from "./control_size.ts";
import { type MeasureParams, randomFor } from "./params.ts";
import { cdfOf, type Delivery, PictureNotes } from "./picture.ts";
import { CONTROL_KINDS, type ControlCount, type ControlKind, REPORT_VERSION, type Report } from "./report.ts";
import { bootstrapQuantiles, distributionOf, quantile, round } from "./statistics.ts";
import type { Link } from "./topology.ts";
import type { LinkUsage, RpcFields, TraceEvent, TraceHeader } from "./trace.ts";
import type { TraceReading } from "./trace_file.ts";

interface Message {
  readonly t: number;
  readonly publisher: number;
  readonly deliveries: Delivery[];
  /** And the publisher. */
  readonly receivers: Set<number>;
}

export interface Analysed {
  readonly report: Report;
  /** For the charts of report.html. */
  readonly picture: RunPicture;
}

/**
 * Reads all of the trace.
 * @param links that the run was to make.
 */
export async function analyse(
  { header, events, brokenAtLine }: TraceReading,
  params: Pick<MeasureParams, "deadlineMs" | "seed">,
  links: readonly Link[] = [],
): Promise<Analysed> {
  const analysis = new Analysis(header, params, links);
  for await (const event of events) analysis.take(event);
  return { report: analysis.report(brokenAtLine()), picture: analysis.picture() };
}

class Analysis {
  readonly #header: TraceHeader;
  readonly #params: Pick<MeasureParams, "deadlineMs" | "seed">;
  readonly #messages = new Map<number, Message>();
  /** By node: when it came and went, in turn, from the first coming. */
  readonly #presence = new Map<number, number[]>();
  readonly #control = new Map<ControlKind, { count: number; ids: number; bytes: number }>();
  readonly #processes: Extract<TraceEvent, { e: "process" }>[] = [];
  readonly #meshSizes: number[] = [];
  /** By node, of the last sample. */
  readonly #scores = new Map<number, readonly number[]>();
  readonly #validationMs: number[] = [];
  readonly #publishLateMs: number[] = [];
  readonly #notes = new PictureNotes();
  readonly #attacks = new AttackNotes();
  /** Links over which no gossip stream was opened yet, by their nodes. */
  readonly #unmade: Set<string>;
  #links: LinkUsage | null = null;
  /** Between `start` and `end`. */
  #isCounting = false;
  #endT: number | null = null;
  #lastT = 0;
  #copies = 0;
  #rejected = 0;
  #dropped = 0;
  #rpcIn = 0;
  #rpcOut = 0;

  constructor(header: TraceHeader, params: Pick<MeasureParams, "deadlineMs" | "seed">, links: readonly Link[]) {
    this.#header = header;
    this.#params = params;
    this.#unmade = new Set(links.map(([from, to]) => linkKey(from, to)));
  }

  take(event: TraceEvent): void {
    this.#lastT = event.t;
    this.#notes.take(event, "m" in event && typeof event.m === "number" && this.#isCounted(event.m));
    this.#attacks.take(event, (message) => this.#isHostile(message));
    switch (event.e) {
      case "start":
        this.#isCounting = true;
        break;
      case "end":
        this.#isCounting = false;
        this.#endT = event.t;
        break;
      case "publish":
        if (this.#isCounted(event.m)) this.#publishLateMs.push(event.late / 1000);
        this.#messages.set(event.m, { t: event.t, deliveries: [], publisher: event.n, receivers: new Set([event.n]) });
        break;
      case "deliver":
        this.#onDeliver(event);
        break;
      case "duplicate":
        if (this.#isCounted(event.m)) this.#copies++;
        break;
      case "reject":
        if (!this.#isHostile(event.m)) this.#rejected++;
        break;
      case "up":
      case "down":
        this.#presence.set(event.n, [...(this.#presence.get(event.n) ?? []), event.t]);
        break;
      case "recv":
        if (this.#isCounting) this.#rpcIn += event.b;
        break;
      case "send":
        if (this.#isCounting) this.#onSend(event);
        break;
      case "open":
        this.#unmade.delete(linkKey(event.n, event.p));
        break;
      case "drop":
        this.#dropped++;
        break;
      case "sample":
        if (this.#isCounting) this.#meshSizes.push(event.mesh[0] ?? 0);
        this.#scores.set(event.n, event.scores);
        break;
      case "process":
        this.#processes.push(event);
        break;
      case "links":
        this.#links = event;
        break;
      default:
        break;
    }
  }

  /** A node that came back has forgotten what it had, and may deliver it again. */
  #onDeliver({ t, n, p, m, v }: Extract<TraceEvent, { e: "deliver" }>): void {
    const message = this.#messages.get(m);
    if (message === undefined || message.receivers.has(n)) return;
    message.receivers.add(n);
    message.deliveries.push({ t, node: n, from: p });
    if (this.#isCounted(m)) this.#validationMs.push(v / 1000);
  }

  #isCounted(message: number): boolean {
    return message >= this.#header.firstCounted && !this.#isHostile(message);
  }

  /** All messages of the run are in the header. */
  #isHostile(message: number): boolean {
    return message < 0 || message >= this.#header.messages.length;
  }

  #onSend({
    b,
    ihave = [],
    iwant = [],
    graft = [],
    prune = [],
    idontwant = [],
    sub = [],
    unsub = [],
  }: RpcFields): void {
    this.#rpcOut += b;
    const topic = (index: number) => this.#header.topics[index] ?? "";
    for (const [index, ids] of ihave) this.#count("ihave", ids.length, ihaveBytes(topic(index), ids.length));
    for (const ids of iwant) this.#count("iwant", ids.length, idListBytes(ids.length));
    for (const ids of idontwant) this.#count("idontwant", ids.length, idListBytes(ids.length));
    for (const index of graft) this.#count("graft", 0, graftBytes(topic(index)));
    for (const index of prune) this.#count("prune", 0, pruneBytes(topic(index)));
    for (const index of [...sub, ...unsub]) this.#count("subscription", 0, subscriptionBytes(topic(index)));
  }

  #count(kind: ControlKind, ids: number, bytes: number): void {
    const total = this.#control.get(kind) ?? { count: 0, ids: 0, bytes: 0 };
    total.count++;
    total.ids += ids;
    total.bytes += bytes;
    this.#control.set(kind, total);
  }

  report(brokenAtLine: number | null): Report {
    const { deadlineMs, seed } = this.#params;
    const messages = [...this.#messages].filter(([message]) => this.#isCounted(message));
    const endT = this.#endT ?? this.#lastT;
    const nodes = this.#header.nodes.length;

    const groups: Float64Array[] = [];
    const fromFirst: number[] = [];
    const timeToAll: number[] = [];
    const lastHops: number[] = [];
    const histogram: number[] = [];
    const phased: PhasedMessage[] = [];
    let [delivered, late, undecided, payload] = [0, 0, 0, 0];
    let lastDeliveryT = 0;
    for (const [index, { t, publisher, deliveries, receivers }] of messages) {
      const inTime = deliveries.filter((delivery) => delivery.t - t <= deadlineMs * 1000);
      late += deliveries.length - inTime.length;
      delivered += inTime.length;
      payload += deliveries.length * (this.#header.payloadBytes[index] ?? 0);
      groups.push(Float64Array.from(inTime, (delivery) => (delivery.t - t) / 1000));
      const [first] = inTime;
      const last = inTime.at(-1);
      if (first !== undefined && last !== undefined) {
        for (const delivery of inTime) fromFirst.push((delivery.t - first.t) / 1000);
        lastDeliveryT = Math.max(lastDeliveryT, last.t);
        if (inTime.length === nodes - 1) timeToAll.push((last.t - t) / 1000);
      }
      const hops = hopsOf(publisher, deliveries);
      for (const { node } of inTime) {
        const count = hops.get(node);
        if (count !== undefined) histogram[count - 1] = (histogram[count - 1] ?? 0) + 1;
      }
      const lastHop = last === undefined ? undefined : hops.get(last.node);
      if (lastHop !== undefined) lastHops.push(lastHop);
      const open = this.#undecided(t, t + deadlineMs * 1000, endT, receivers);
      undecided += open;
      phased.push({ t, latenciesMs: groups.at(-1) ?? [], undecided: open });
    }

    const pairs = messages.length * (nodes - 1);
    const latencies = groups.flatMap((group) => [...group]);
    const firstT = messages[0]?.[1].t ?? 0;
    const durationMs = round(Math.max(0, lastDeliveryT - firstT) / 1000);
    const [p50 = null, p99 = null] = bootstrapQuantiles(groups, [0.5, 0.99], randomFor(seed, "bootstrap"));
    const socketIn = sum(this.#processes.map(({ socketBytesIn }) => socketBytesIn));
    const socketOut = sum(this.#processes.map(({ socketBytesOut }) => socketBytesOut));
    const meshSizes = Float64Array.from(this.#meshSizes).sort();
    return {
      version: REPORT_VERSION,
      partial: this.#endT === null || brokenAtLine !== null,
      nodes,
      messages: messages.length,
      durationMs,
      deliveriesPerSecond: durationMs === 0 ? 0 : round(delivered / (durationMs / 1000)),
      latencyMs: {
        fromPublish: distributionOf(latencies),
        fromFirstReceipt: distributionOf(fromFirst),
        intervals: { p50, p99 },
        cdf: cdfOf(latencies, pairs),
      },
      delivery: {
        deadlineMs,
        pairs,
        delivered,
        late,
        undecided,
        ratio: ratio(delivered, pairs - undecided),
        bounds: pairs === 0 ? null : { low: round6(delivered / pairs), high: round6((delivered + undecided) / pairs) },
      },
      duplicates: { copies: this.#copies, perDelivery: ratio(this.#copies, delivered + late) },
      bytes: {
        payload,
        rpcIn: this.#rpcIn,
        rpcOut: this.#rpcOut,
        socketIn,
        socketOut,
        rpcPerPayload: ratio(this.#rpcOut, payload),
        socketPerPayload: ratio(socketOut, payload),
      },
      control: Object.fromEntries(
        CONTROL_KINDS.map((kind) => [kind, this.#control.get(kind) ?? { count: 0, ids: 0, bytes: 0 }]),
      ) as Record<ControlKind, ControlCount>,
      unmadeLinks: this.#unmade.size,
      droppedRpcs: this.#dropped,
      rejected: this.#rejected,
      ...this.#attacks.report(firstT, phased, nodes - 1),
      hops: { last: distributionOf(lastHops), histogram: Array.from(histogram, (count) => count ?? 0) },
      timeToAllMs: { complete: timeToAll.length, distribution: distributionOf(timeToAll) },
      mesh:
        meshSizes.length === 0
          ? null
          : {
              min: meshSizes[0] as number,
              median: quantile(meshSizes, 0.5) as number,
              max: meshSizes.at(-1) as number,
            },
      publishLateMs: distributionOf(this.#publishLateMs),
      scores: distributionOf([...this.#scores.values()].flat()),
      validationMs: distributionOf(this.#validationMs),
      processes: this.#processes.map(({ nodes: { length }, loopP99Ms, loopMaxMs, cpuMs, wallMs, rssBytes }) => ({
        nodes: length,
        loopP99Ms: round(loopP99Ms),
        loopMaxMs: round(loopMaxMs),
        cpuPerNode: round6(cpuMs / wallMs / length),
        rssBytesPerNode: Math.round(rssBytes / length),
      })),
      cpuMsPerDelivery: ratio(sum(this.#processes.map(({ cpuMs }) => cpuMs)), delivered + late),
      links: this.#links,
      clockErrorMs:
        this.#processes.length === 0
          ? null
          : round(Math.max(...this.#processes.map(({ clockErrorMs }) => clockErrorMs))),
      lostLines: sum(this.#processes.map(({ lost }) => lost)),
      brokenAtLine,
    };
  }

  picture(): RunPicture {
    const { deadlineMs } = this.#params;
    const messages = [...this.#messages]
      .filter(([index]) => this.#isCounted(index))
      .map(([index, { t, publisher, deliveries }]) => ({
        index,
        t,
        publisher,
        deliveries: deliveries.filter((delivery) => delivery.t - t <= deadlineMs * 1000),
      }));
    return this.#notes.picture(messages, messages.length * (this.#header.nodes.length - 1));
  }

  /** Receivers that have not got the message, and of whom nobody may say that they should have. */
  #undecided(fromT: number, deadlineT: number, endT: number, receivers: ReadonlySet<number>): number {
    let undecided = 0;
    for (let node = 0; node < this.#header.nodes.length; node++) {
      if (receivers.has(node)) continue;
      if (endT < deadlineT || !this.#isPresent(node, fromT, deadlineT)) undecided++;
    }
    return undecided;
  }

  /** Whether the node was up for all of the time. */
  #isPresent(node: number, fromT: number, toT: number): boolean {
    const changes = this.#presence.get(node) ?? [];
    const before = changes.filter((t) => t <= fromT).length;
    return before % 2 === 1 && !changes.some((t) => t > fromT && t <= toT);
  }
}

/** The same in either order. */
function linkKey(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/** From the publisher, who has none; deliveries in order of time. A clock error may leave some out. */
function hopsOf(publisher: number, deliveries: readonly Delivery[]): Map<number, number> {
  const hops = new Map([[publisher, 0]]);
  for (const { node, from } of deliveries) {
    const before = hops.get(from);
    if (before !== undefined && !hops.has(node)) hops.set(node, before + 1);
  }
  return hops;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : round6(part / whole);
}

function round6(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
