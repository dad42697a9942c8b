/** A message's way through the network as a graph shows it, from the judgements that the page was told of. */
import type { GraphWay, ReachedResult } from "../charts/network.ts";
import type { Hop, Message } from "./model.ts";

export interface Way extends Omit<GraphWay, "atMs"> {
  /** Unix ms of the first judgement. */
  readonly startMs: number;
  /** From the first judgement to the last node's. */
  readonly durationMs: number;
  /** The first judgement of each node, in order of time. */
  readonly steps: readonly (Hop & { readonly atMs: number })[];
}

/** Null where no node has judged it. */
export function wayOf(message: Message): Way | null {
  const firsts = new Map<string, Hop>();
  for (const hop of [...message.hops].sort((a, b) => a.timeMs - b.timeMs)) {
    if (!firsts.has(hop.node)) firsts.set(hop.node, hop);
  }
  const [first] = firsts.values();
  if (first === undefined) return null;
  const startMs = first.timeMs;
  const steps = [...firsts.values()].map((hop) => ({ ...hop, atMs: hop.timeMs - startMs }));
  return {
    startMs,
    durationMs: steps.at(-1)?.atMs ?? 0,
    steps,
    reached: Object.fromEntries(steps.map((hop) => [hop.node, { atMs: hop.atMs, result: reachedResult(hop) }])),
    links: steps.flatMap(({ node, from, atMs }) => (from === null ? [] : [{ source: from, target: node, atMs }])),
  };
}

/** Where a good message came into the network: a node formed it, or its API took it. */
function reachedResult({ result, source }: Hop): ReachedResult {
  return result === "accept" && source !== "gossip" ? "formed" : result;
}
