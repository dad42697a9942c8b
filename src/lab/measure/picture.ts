/** What a report's charts show: the run in bins of time, and some messages' ways. Its size is bounded, whatever the run's. */
import { TABLE_SHARES } from "../../page/charts/latency.ts";
import type { Cdf, RunPicture, Way } from "../../page/report/data.ts";
import { distributionOf, quantile, round } from "./statistics.ts";
import type { TraceEvent } from "./trace.ts";

/** Points of a distribution function: enough for a screen's width. */
const CDF_POINTS = 256;
const MAX_BINS = 240;
const MIN_BIN_US = 100_000;
const HISTOGRAM_BARS = 40;
/** Of all ways together, some 15 bytes each in the page. The slowest messages come first, others evenly from the run. */
const MAX_WAY_DELIVERIES = 100_000;
const SLOWEST_WAYS = 10;

export interface Delivery {
  readonly t: number;
  readonly node: number;
  readonly from: number;
}

export interface CountedMessage {
  readonly index: number;
  readonly t: number;
  readonly publisher: number;
  /** Within the deadline, in order of time. */
  readonly deliveries: readonly Delivery[];
}

/** Notes what is not kept elsewhere while the trace is read: when copies, refusals and mesh sizes were seen. */
export class PictureNotes {
  #startT: number | null = null;
  #lastT = 0;
  /** By bin of `MIN_BIN_US` since the start. */
  readonly #copies: number[] = [];
  readonly #refused = new Map<string, number[]>();
  readonly #mesh: number[][] = [];
  readonly #attacks: { readonly name: string; readonly fromT: number; toT: number | null }[] = [];

  /** @param isCounted of the event's message. */
  take(event: TraceEvent, isCounted: boolean): void {
    this.#lastT = event.t;
    if (event.e === "start") this.#startT = event.t;
    if (event.e === "attack") this.#attacks.push({ name: event.name, fromT: event.t, toT: null });
    if (event.e === "attacked") {
      const open = this.#attacks.find(({ name, toT }) => name === event.name && toT === null);
      if (open !== undefined) open.toT = event.t;
    }
    if (this.#startT === null) return;
    const bin = Math.floor((event.t - this.#startT) / MIN_BIN_US);
    if (event.e === "duplicate" && isCounted) this.#copies[bin] = (this.#copies[bin] ?? 0) + 1;
    if (event.e === "reject") {
      const counts = this.#refused.get(event.reason) ?? [];
      counts[bin] = (counts[bin] ?? 0) + 1;
      this.#refused.set(event.reason, counts);
    }
    if (event.e === "sample") {
      const sizes = this.#mesh[bin] ?? [];
      sizes.push(event.mesh[0] ?? 0);
      this.#mesh[bin] = sizes;
    }
  }

  picture(messages: readonly CountedMessage[], pairs: number): RunPicture {
    const startT = this.#startT ?? messages[0]?.t ?? 0;
    const endT = Math.max(this.#lastT, startT);
    const merged = Math.max(1, Math.ceil((endT - startT) / MIN_BIN_US / MAX_BINS));
    const binUs = merged * MIN_BIN_US;
    const bins = Math.floor((endT - startT) / binUs) + 1;
    const binOf = (t: number) => Math.min(bins - 1, Math.max(0, Math.floor((t - startT) / binUs)));
    const totals = (counts: readonly (number | undefined)[]) => {
      const sums = new Array<number>(bins).fill(0);
      for (const [k, count = 0] of counts.entries())
        sums[Math.floor(k / merged)] = (sums[Math.floor(k / merged)] ?? 0) + count;
      return sums;
    };

    const published = new Array<number>(bins).fill(0);
    const delivered = new Array<number>(bins).fill(0);
    const latencies: number[][] = Array.from({ length: bins }, () => []);
    const fromFirst: number[] = [];
    for (const { t, deliveries } of messages) {
      published[binOf(t)] = (published[binOf(t)] ?? 0) + 1;
      for (const delivery of deliveries) {
        delivered[binOf(delivery.t)] = (delivered[binOf(delivery.t)] ?? 0) + 1;
        latencies[binOf(t)]?.push((delivery.t - t) / 1000);
        fromFirst.push((delivery.t - (deliveries[0]?.t ?? 0)) / 1000);
      }
    }
    const copies = totals(this.#copies);
    const perSecond = (counts: readonly number[]) => counts.map((count) => round((count * 1e6) / binUs));
    const distributions = latencies.map(distributionOf);
    const sizes = Array.from({ length: bins }, (_, k) =>
      Float64Array.from(this.#mesh.slice(k * merged, (k + 1) * merged).flatMap((some) => some ?? [])).sort(),
    );
    return {
      firstReceiptCdf: cdfOf(fromFirst, pairs),
      histogram: histogramOf(latencies.flat()),
      time: {
        binMs: binUs / 1000,
        attacks: this.#attacks.map(({ name, fromT, toT }) => ({
          name,
          fromMs: round((fromT - startT) / 1000),
          toMs: round(((toT ?? endT) - startT) / 1000),
        })),
        publishedPerSecond: perSecond(published),
        deliveredPerSecond: perSecond(delivered),
        duplicatesPerDelivery: delivered.map((count, k) => (count === 0 ? null : round((copies[k] ?? 0) / count))),
        p50Ms: distributions.map((one) => one?.p50 ?? null),
        p99Ms: distributions.map((one) => one?.p99 ?? null),
        mesh: {
          min: sizes.map((some) => some[0] ?? null),
          median: sizes.map((some) => quantile(some, 0.5)),
          max: sizes.map((some) => some.at(-1) ?? null),
        },
        verdicts: [
          { code: "accept", result: "accept", counts: delivered },
          ...[...this.#refused].map(([code, counts]) => ({
            code,
            result: code === "ignore" ? ("ignore" as const) : ("reject" as const),
            counts: totals(counts),
          })),
        ],
      },
      ways: waysOf(messages, startT),
    };
  }
}

/** Latency, and the share of `pairs` delivered by then: evenly, and where tables look. */
export function cdfOf(latencies: readonly number[], pairs: number): Cdf {
  if (latencies.length === 0) return [];
  const sorted = Float64Array.from(latencies).sort();
  const points = Math.min(CDF_POINTS, sorted.length);
  const counts = [
    ...Array.from({ length: points }, (_, k) => Math.ceil(((k + 1) / points) * sorted.length)),
    ...TABLE_SHARES.map((share) => Math.ceil(share * pairs)).filter((count) => count <= sorted.length),
  ];
  return [...new Set(counts)]
    .sort((a, b) => a - b)
    .map((count) => [round(sorted[count - 1] as number), Math.round((count / pairs) * 1e6) / 1e6]);
}

/** Bars of equal width up to p99, rounded up to 1, 2 or 5; the rest in the last. */
function histogramOf(latencies: readonly number[]): RunPicture["histogram"] {
  const p99 = distributionOf(latencies)?.p99 ?? 0;
  if (p99 === 0) return { upperMs: [null], counts: [latencies.length] };
  const raw = p99 / HISTOGRAM_BARS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const width = power * ([1, 2, 5, 10].find((step) => step * power >= raw) ?? 10);
  const bars = Math.ceil(p99 / width);
  const counts = new Array<number>(bars + 1).fill(0);
  for (const ms of latencies) {
    const bar = Math.min(bars, Math.max(0, Math.ceil(ms / width) - 1));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return { upperMs: [...Array.from({ length: bars }, (_, k) => round((k + 1) * width)), null], counts };
}

function waysOf(messages: readonly CountedMessage[], startT: number): Way[] {
  const lastMs = ({ t, deliveries }: CountedMessage) => (deliveries.at(-1)?.t ?? t) - t;
  const slowest = [...messages].sort((a, b) => lastMs(b) - lastMs(a)).slice(0, SLOWEST_WAYS);
  const chosen = new Set<CountedMessage>();
  let left = MAX_WAY_DELIVERIES;
  // Every second, then every fourth of the rest and so on: evenly from the run, however many fit.
  for (const message of [...slowest, ...halving(messages)]) {
    if (chosen.has(message)) continue;
    if (message.deliveries.length > left) break;
    chosen.add(message);
    left -= message.deliveries.length;
  }
  return messages
    .filter((message) => chosen.has(message))
    .map(({ index, t, publisher, deliveries }) => ({
      message: index,
      publisher,
      atMs: round((t - startT) / 1000),
      deliveries: deliveries.flatMap((delivery) => [delivery.node, delivery.from, delivery.t - t]),
    }));
}

/** All of a list, the first halves' ends first. */
function* halving<T>(list: readonly T[]): Generator<T> {
  let step = 1;
  while (step < list.length) step *= 2;
  for (let k = 0; k < list.length; k += step) yield list[k] as T;
  for (; step >= 2; step /= 2) for (let k = step / 2; k < list.length; k += step) yield list[k] as T;
}
