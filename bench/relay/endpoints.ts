/** The process of all publishers, or that of all sinks. */
import { randomFillSync } from "node:crypto";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { type EndpointAnswer, type EndpointRequest, type NetworkSpec, PAYLOAD_BYTES, WINDOW } from "./protocol.ts";
import { type BenchNode, startBenchNode } from "./stacks.ts";

/** Messages are due at times, not after delays: what a timer that comes late has missed is published at once. */
const PACE_MS = 1;

/** A stock relay refuses more than five connections a second from one address. */
const JOIN_INTERVAL_MS = 250;

interface Publisher {
  readonly node: BenchNode;
  published: number;
  delivered: number;
  goal: number;
  paced: boolean;
}

interface Sinks {
  /** Messages that came, by sink. */
  readonly counts: number[];
  delaysUs: number[];
  telling: boolean;
}

const role = process.argv[2] as "publisher" | "sinks";
const publishers = new Map<number, Publisher>();
const sinks = new Map<number, Sinks>();

function tell(answer: EndpointAnswer): void {
  process.send?.(answer);
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

async function join({ id, publisherKey, sinkKeys, endpoints }: NetworkSpec, address: string): Promise<void> {
  const base = { stack: endpoints, dial: address };
  if (role === "publisher") {
    await sleep(systemClock, JOIN_INTERVAL_MS);
    const node = await startBenchNode({ ...base, privateKey: Buffer.from(publisherKey, "hex") });
    publishers.set(id, { node, published: 0, delivered: 0, goal: 0, paced: false });
  } else {
    const entry: Sinks = { counts: sinkKeys.map(() => 0), delaysUs: [], telling: false };
    sinks.set(id, entry);
    for (const [i, key] of sinkKeys.entries()) {
      await sleep(systemClock, JOIN_INTERVAL_MS);
      await startBenchNode({
        ...base,
        privateKey: Buffer.from(key, "hex"),
        onMessage: (ssz) => receive(id, entry, i, ssz),
      });
    }
  }
  tell({ event: "joined", id });
}

function receive(id: number, entry: Sinks, sink: number, ssz: Uint8Array): void {
  entry.counts[sink] = (entry.counts[sink] ?? 0) + 1;
  entry.delaysUs.push(nowUs() - new DataView(ssz.buffer, ssz.byteOffset).getFloat64(0));
  if (entry.telling) return;
  entry.telling = true;
  setImmediate(() => {
    entry.telling = false;
    tell({ event: "delivered", id, delivered: Math.min(...entry.counts) });
  });
}

function publishOne(publisher: Publisher): void {
  const ssz = randomFillSync(new Uint8Array(PAYLOAD_BYTES));
  new DataView(ssz.buffer).setFloat64(0, nowUs());
  publisher.published++;
  void publisher.node.publish(ssz).then((sent) => {
    if (!sent) throw new Error("A message was sent to nobody");
  });
}

function publishWindow(publisher: Publisher): void {
  while (publisher.published < publisher.goal && publisher.published - publisher.delivered < WINDOW) {
    publishOne(publisher);
  }
}

function publishPaced(publisher: Publisher, ratePerSecond: number): void {
  const startedMs = systemClock.monotonicMs();
  const first = publisher.published;
  const cancel = systemClock.every(PACE_MS, () => {
    const due = first + ((systemClock.monotonicMs() - startedMs) * ratePerSecond) / 1000;
    while (publisher.published < Math.min(due, publisher.goal)) publishOne(publisher);
    if (publisher.published >= publisher.goal) cancel();
  });
}

process.on("message", (request: EndpointRequest) => {
  if (request.do === "join") {
    void join(request.network, request.address);
    return;
  }
  if (request.do === "delays") {
    const entry = sinks.get(request.id);
    tell({ event: "delays", id: request.id, delaysUs: entry?.delaysUs.splice(0) ?? [] });
    return;
  }
  const publisher = publishers.get(request.id);
  if (publisher === undefined) throw new Error(`There is no network ${request.id}`);
  if (request.do === "acknowledge") {
    publisher.delivered = request.delivered;
    if (!publisher.paced) publishWindow(publisher);
    return;
  }
  const { count, ratePerSecond } = request;
  publisher.goal = publisher.published + count;
  publisher.paced = ratePerSecond !== null;
  if (ratePerSecond === null) publishWindow(publisher);
  else publishPaced(publisher, ratePerSecond);
});
process.on("disconnect", () => process.exit());
