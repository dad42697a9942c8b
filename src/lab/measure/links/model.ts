/** What a link does to what crosses it, from the words of the command line. */
import { CodedError } from "../../../base/errors.ts";
import type { Random } from "../../../base/random.ts";
import type { MeasureParams } from "../params.ts";
import { CITIES, roundTripMs } from "./cities.ts";

export type LatencyModel =
  | { readonly kind: "none" }
  /** One way, the same on every link. */
  | { readonly kind: "uniform"; readonly ms: number }
  /** One way, drawn anew for each chunk; order is kept, so jitter only ever adds to what comes behind. */
  | { readonly kind: "normal"; readonly ms: number; readonly deviationMs: number }
  /** Half the round trip between the cities that the nodes are in. */
  | { readonly kind: "cities" };

/** What one direction of one link does. Sent to another process. */
export interface LinkShape {
  readonly delayMs: number;
  readonly deviationMs: number;
  /** Share of segments that are lost and sent again. */
  readonly loss: number;
}

const MS = /^(\d+(?:\.\d+)?)ms$/;
const RATE = /^(\d+(?:\.\d+)?)(kbit|mbit|gbit)$/;
const BITS = { kbit: 1e3, mbit: 1e6, gbit: 1e9 } as const;
/** Above what any network has; beyond it gossip's own timeouts would be measured. */
const MAX_LATENCY_MS = 10_000;

/** Throws a `CodedError` `BAD_LATENCY`. */
export function parseLatency(text: string): LatencyModel {
  const [, kind = "", list] = /^([a-z]+)(?::([^:]+))?$/.exec(text) ?? [];
  const values = list?.split(",").map((part) => Number(MS.exec(part.trim())?.[1] ?? Number.NaN)) ?? [];
  const [ms = 0, deviationMs = 0] = values;
  if (values.every((value) => value <= MAX_LATENCY_MS)) {
    if ((kind === "none" || kind === "cities") && values.length === 0) return { kind };
    if (kind === "uniform" && values.length === 1) return { kind, ms };
    if (kind === "normal" && values.length === 2) return { kind, ms, deviationMs };
  }
  throw new CodedError(
    "BAD_LATENCY",
    `"${text}" is no latency: write none, uniform:50ms (one way), normal:50ms,10ms (mean, deviation) or cities`,
    { latency: text },
  );
}

/** Upload of each node, bytes a millisecond; null: no limit. Throws a `CodedError` `BAD_BANDWIDTH`. */
export function parseBandwidth(text: string): number | null {
  if (text === "none") return null;
  const [, value, unit] = RATE.exec(/^uniform:(.*)$/.exec(text)?.[1] ?? "") ?? [];
  const bytesPerMs = (Number(value) * BITS[unit as keyof typeof BITS]) / 8 / 1000;
  if (bytesPerMs > 0) return bytesPerMs;
  throw new CodedError(
    "BAD_BANDWIDTH",
    `"${text}" is no bandwidth: write none, or each node's upload, uniform:50mbit`,
    {
      bandwidth: text,
    },
  );
}

/** The city of each node, by index into CITIES; null where the model has none. */
export function placeNodes(model: LatencyModel, nodes: number, random: Random): number[] | null {
  return model.kind === "cities" ? Array.from({ length: nodes }, () => random.below(CITIES.length)) : null;
}

export function shapeOf(model: LatencyModel, loss: number, cities: readonly [number, number] | null): LinkShape {
  if (model.kind === "uniform") return { delayMs: model.ms, deviationMs: 0, loss };
  if (model.kind === "normal") return { delayMs: model.ms, deviationMs: model.deviationMs, loss };
  return { delayMs: cities === null ? 0 : roundTripMs(cities[0], cities[1]) / 2, deviationMs: 0, loss };
}

/** Whether anything is asked of links, so that they need a process. */
export function isShaped({ latency, bandwidth, loss }: Pick<MeasureParams, "latency" | "bandwidth" | "loss">): boolean {
  return parseLatency(latency).kind !== "none" || parseBandwidth(bandwidth) !== null || loss > 0;
}
