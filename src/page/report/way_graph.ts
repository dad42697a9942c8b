/** One message's way as a graph, at one moment. */
import { numberText, type Point } from "../charts/chart.ts";
import { type Step, timeRing } from "../charts/layout.ts";
import type { Graph } from "../charts/network.ts";
import type { RunPage, Way } from "./data.ts";

/** `time`: nodes stand as far from the publisher as the message took to them. `network`: linked ones near each other. */
export type WayLayout = "time" | "network";

const RINGS = 4;

export interface WayMoment {
  readonly way: Way;
  readonly steps: readonly Step[];
  readonly layout: WayLayout;
  /** Of all nodes. */
  readonly points: readonly Point[];
  readonly atMs: number;
}

/** The deliveries, in order of time. */
export function stepsOf({ deliveries }: Way): Step[] {
  return Array.from({ length: deliveries.length / 3 }, (_, k) => ({
    node: deliveries[3 * k] ?? 0,
    from: deliveries[3 * k + 1] ?? 0,
    ms: (deliveries[3 * k + 2] ?? 0) / 1000,
  }));
}

export function lastMsOf(steps: readonly Step[]): number {
  return steps.at(-1)?.ms ?? 0;
}

export function wayText({ message, deliveries }: Way): string {
  return `${message}: ${deliveries.length / 3} nodes in ${numberText((deliveries.at(-1) ?? 0) / 1000)} ms`;
}

/** The message whose way took neither long nor short. */
export function medianWay(ways: readonly Way[]): Way | null {
  const sorted = [...ways].sort((a, b) => (a.deliveries.at(-1) ?? 0) - (b.deliveries.at(-1) ?? 0));
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

export function wayGraph({ nodes, links }: RunPage, { way, steps, layout, points, atMs }: WayMoment): Graph {
  return {
    nodes: nodes.map((peerId, k) => {
      const [x, y] = points[k] ?? [0.5, 0.5];
      return { id: String(k), label: String(k), kind: "node", detail: peerId, x, y };
    }),
    // In the picture of time, links that the message did not take would hide those that it took.
    links:
      layout === "time"
        ? []
        : links.map(([a, b]) => ({ source: String(a), target: String(b), kind: "connected" as const })),
    rings: layout === "time" ? ringsUpTo(lastMsOf(steps)) : [],
    way: {
      atMs,
      reached: Object.fromEntries([
        [way.publisher, { atMs: 0, result: "formed" as const }],
        ...steps.map(({ node, ms }) => [node, { atMs: ms, result: "accept" as const }]),
      ]),
      links: steps.map(({ node, from, ms }) => ({ source: String(from), target: String(node), atMs: ms })),
    },
  };
}

function ringsUpTo(lastMs: number): { label: string; points: Point[] }[] {
  if (lastMs === 0) return [];
  return Array.from({ length: RINGS }, (_, k) => {
    const ms = (lastMs * (k + 1)) / RINGS;
    return { label: `${numberText(Number(ms.toPrecision(3)))} ms`, points: timeRing(ms, lastMs) };
  });
}
