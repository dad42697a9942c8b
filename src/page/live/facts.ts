/** What the page knows of nodes, messages and verdicts. */
import type { FeedEvent, VerdictResult } from "./events.ts";

export type NodeKind = "self" | "node" | "peer" | "hostile";

export interface NodeState {
  readonly name: string;
  readonly kind: NodeKind;
  /** What it calls itself. */
  detail: string;
  peerId: string | null;
  pageUrl: string | null;
  isRunning: boolean;
  headSlot: number | null;
  headRoot: string | null;
  finalizedEpoch: number | null;
  /** Peers in the mesh of triggered exits. */
  meshPeers: number | null;
}

/** One node's judgement of a message. */
export interface Hop {
  readonly node: string;
  readonly timeMs: number;
  readonly source: string;
  /** Name of the node that brought it, or a stranger's peer id. */
  readonly from: string | null;
  readonly result: VerdictResult;
  readonly code: string;
  readonly elapsedMs: number;
}

export interface Message {
  readonly key: string;
  readonly pubkey: string;
  readonly messageIndex: string;
  /** When the page first heard of it. */
  readonly firstTimeMs: number;
  kind: string | null;
  validatorIndex: number | null;
  transaction: { readonly hash: string; readonly block: number; readonly timeMs: number } | null;
  readonly formedBy: Set<string>;
  firstFormedMs: number | null;
  readonly hops: Hop[];
  included: { readonly slot: number; readonly timeMs: number } | null;
  exit: { readonly epoch: number; readonly timeMs: number } | null;
  finalMs: number | null;
}

export interface ExitRequest {
  readonly pubkey: string;
  readonly validatorIndex: number;
  readonly timeMs: number;
  failure: { readonly code: string; readonly message: string } | null;
}

export interface VerdictLine extends Hop {
  readonly pubkey: string | null;
  readonly messageIndex: string | null;
}

export interface CodeCount {
  readonly code: string;
  readonly result: VerdictResult;
  total: number;
  /** By the number of the bin, which is its time over `BIN_MS`. */
  readonly bins: Map<number, number>;
}

export type NetworkFacts = Omit<Extract<FeedEvent, { event: "network" }>, "event">;
