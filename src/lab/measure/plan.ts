/** What will happen in a run, all of it drawn from the seed beforehand. */
import type { Random } from "../../base/random.ts";
import { type MeasureParams, randomFor } from "./params.ts";
import { range } from "./topology.ts";

/** A node that leaves stays away for so long. */
export const CHURN_DOWN_MS = 5_000;
/** A node that came back publishes nothing before it has a mesh again. */
const SETTLE_MS = 3_000;

export interface ChurnEvent {
  readonly atMs: number;
  readonly node: number;
  readonly kind: "leave" | "return";
}

export interface RunPlan {
  /** From the beginning of publishing, in order of time. */
  readonly publications: readonly { readonly message: number; readonly node: number; readonly atMs: number }[];
  readonly churn: readonly ChurnEvent[];
  /** The node that is attacked: one that does not leave, where there is one. */
  readonly target: number;
  /** When the first message that counts is published. */
  readonly countFromMs: number;
  /** When the last one is. */
  readonly lastMs: number;
}

export function planRun(params: MeasureParams): RunPlan {
  const { nodes, rate, messages, warmupMessages, seed } = params;
  const intervalMs = 1000 / rate;
  const total = warmupMessages + messages;
  const lastMs = (total - 1) * intervalMs;
  const churn = planChurn(params, lastMs, randomFor(seed, "churn"));
  const publishers = randomFor(seed, "publishers");
  return {
    publications: range(total).map((message) => {
      const atMs = message * intervalMs;
      const up = range(nodes).filter((node) => isSettled(churn, node, atMs));
      return { message, node: up[publishers.below(up.length)] ?? 0, atMs };
    }),
    churn,
    target: targetOf(nodes, churn, randomFor(seed, "target")),
    countFromMs: warmupMessages * intervalMs,
    lastMs,
  };
}

function targetOf(nodes: number, churn: readonly ChurnEvent[], random: Random): number {
  const leaving = new Set(churn.map(({ node }) => node));
  const staying = range(nodes).filter((node) => !leaving.has(node));
  return staying[random.below(Math.max(1, staying.length))] ?? 0;
}

/** At most half of the nodes are away at once, so that there is a network. */
function planChurn({ nodes, churn }: MeasureParams, lastMs: number, random: Random): ChurnEvent[] {
  const events: ChurnEvent[] = [];
  if (churn === 0) return events;
  const backMs = new Map<number, number>();
  for (let atMs = 1000; atMs < lastMs; atMs += 1000) {
    for (const node of range(nodes)) {
      const away = [...backMs.values()].filter((ms) => ms > atMs).length;
      if (random.float() >= churn || (backMs.get(node) ?? 0) + SETTLE_MS > atMs || away >= nodes / 2) continue;
      backMs.set(node, atMs + CHURN_DOWN_MS);
      events.push({ atMs, node, kind: "leave" }, { atMs: atMs + CHURN_DOWN_MS, node, kind: "return" });
    }
  }
  return events.sort((a, b) => a.atMs - b.atMs);
}

function isSettled(churn: readonly ChurnEvent[], node: number, atMs: number): boolean {
  return !churn.some(
    (event) =>
      event.kind === "leave" &&
      event.node === node &&
      event.atMs <= atMs &&
      atMs < event.atMs + CHURN_DOWN_MS + SETTLE_MS,
  );
}
