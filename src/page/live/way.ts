/** A message's way through the network as a graph shows it, from the judgements that the page was told of. */
import type { GraphWay, ReachedResult } from "../charts/network.ts";
import type { Hop, Message } from "./facts.ts";

export interface WayStep extends Hop {
  /** Since the first judgement. */
  readonly atMs: number;
}

export interface Way {
  /** From the first judgement to the last step. */
  readonly durationMs: number;
  /** Each node's first judgement, and its ACCEPT where that came later, as when the root was not stored yet. In order of time. */
  readonly steps: readonly WayStep[];
  /** Over which the message came to each node first. */
  readonly links: GraphWay["links"];
}

/** Null where no node has judged it. */
export function wayOf({ hops }: Message): Way | null {
  const inOrder = [...hops].sort((a, b) => a.timeMs - b.timeMs);
  const [first] = inOrder;
  if (first === undefined) return null;
  const steps: WayStep[] = [];
  const links = new Map<string, GraphWay["links"][number]>();
  const last = new Map<string, Hop>();
  for (const hop of inOrder) {
    const before = last.get(hop.node);
    const isNews = before === undefined || (before.result !== "accept" && hop.result === "accept");
    if (!isNews) continue;
    last.set(hop.node, hop);
    const atMs = hop.timeMs - first.timeMs;
    steps.push({ ...hop, atMs });
    if (hop.from !== null && !links.has(hop.node)) links.set(hop.node, { source: hop.from, target: hop.node, atMs });
  }
  return { durationMs: steps.at(-1)?.atMs ?? 0, steps, links: [...links.values()] };
}

/** What stands at a moment of the way. */
export function momentOf({ steps, links }: Way, atMs: number): GraphWay {
  const reached = steps
    .filter((step) => step.atMs <= atMs)
    .map((step) => [step.node, { atMs: step.atMs, result: reachedResult(step) }] as const);
  return { reached: Object.fromEntries(reached), links, atMs };
}

/** Where a good message came into the network: a node formed it, or its API took it. */
function reachedResult({ result, source }: Hop): ReachedResult {
  return result === "accept" && source !== "gossip" ? "formed" : result;
}
