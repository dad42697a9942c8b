/** What a run's report holds; `docs/measuring.md` defines each figure. */
import type { Distribution, Interval } from "./statistics.ts";
import type { AttackOutcome, LinkUsage } from "./trace.ts";

export const REPORT_VERSION = 1;

export const CONTROL_KINDS = ["ihave", "iwant", "graft", "prune", "idontwant", "subscription"] as const;
export type ControlKind = (typeof CONTROL_KINDS)[number];

export interface ControlCount {
  /** Control messages sent. */
  readonly count: number;
  /** Message ids in them. */
  readonly ids: number;
  readonly bytes: number;
}

export interface AttackFigures {
  readonly name: string;
  /** The target. */
  readonly node: number;
  /** From the first counted publication; null: the run ended first. */
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly outcome: AttackOutcome | null;
}

/** Of the honest messages that were published in one phase. */
export interface PhaseFigures {
  readonly messages: number;
  readonly pairs: number;
  readonly delivered: number;
  readonly undecided: number;
  readonly ratio: number | null;
  readonly latencyMs: Distribution | null;
}

export interface Report {
  readonly version: typeof REPORT_VERSION;
  /** Interrupted, or read from a trace that is cut off: the figures are of what there was. */
  readonly partial: boolean;
  readonly nodes: number;
  /** Published, and counted. */
  readonly messages: number;
  /** From the first counted publication to the last counted delivery. */
  readonly durationMs: number;
  readonly deliveriesPerSecond: number;
  readonly latencyMs: {
    readonly fromPublish: Distribution | null;
    readonly fromFirstReceipt: Distribution | null;
    /** Of quantiles from publishing, by the bootstrap over messages. */
    readonly intervals: { readonly p50: Interval | null; readonly p99: Interval | null };
    /** Points of the distribution function: latency, and the share of all pairs delivered by then. */
    readonly cdf: readonly (readonly [number, number])[];
  };
  readonly delivery: {
    readonly deadlineMs: number;
    readonly pairs: number;
    readonly delivered: number;
    /** Delivered after the deadline. */
    readonly late: number;
    /** The receiver was away for some of the time, or the run ended before the deadline. */
    readonly undecided: number;
    /** Delivered of all pairs but the undecided. */
    readonly ratio: number | null;
    /** Were all undecided pairs lost, and were none. */
    readonly bounds: Interval | null;
  };
  readonly duplicates: { readonly copies: number; readonly perDelivery: number | null };
  readonly bytes: {
    /** Of message data, once for each delivery. */
    readonly payload: number;
    readonly rpcIn: number;
    readonly rpcOut: number;
    readonly socketIn: number;
    readonly socketOut: number;
    /** Each over the payload. */
    readonly rpcPerPayload: number | null;
    readonly socketPerPayload: number | null;
  };
  readonly control: Readonly<Record<ControlKind, ControlCount>>;
  /** Links of the topology over which nobody ever opened a gossip stream: the network was another than asked for. */
  readonly unmadeLinks: number;
  readonly droppedRpcs: number;
  /** Messages of the run that were not accepted somewhere. */
  readonly rejected: number;
  readonly attacks: readonly AttackFigures[];
  /** Verdicts on messages that are not the run's: they count as nothing else. */
  readonly hostile: { readonly accepted: number; readonly refused: number };
  /** Before the first attack, while one was under way, and else; null without an attack. */
  readonly phases: {
    readonly before: PhaseFigures;
    readonly during: PhaseFigures;
    readonly after: PhaseFigures;
  } | null;
  readonly hops: {
    /** Of each message's last delivery. */
    readonly last: Distribution | null;
    /** Deliveries by their hops, from one. */
    readonly histogram: readonly number[];
  };
  readonly timeToAllMs: {
    readonly complete: number;
    /** Of complete messages. */
    readonly distribution: Distribution | null;
  };
  readonly mesh: { readonly min: number; readonly median: number; readonly max: number } | null;
  /** How much later than planned messages were published: where it is more than a few, the machine was overloaded. */
  readonly publishLateMs: Distribution | null;
  readonly scores: Distribution | null;
  readonly validationMs: Distribution | null;
  readonly processes: readonly {
    readonly nodes: number;
    readonly loopP99Ms: number;
    readonly loopMaxMs: number;
    /** Share of one core, a node. */
    readonly cpuPerNode: number;
    readonly rssBytesPerNode: number;
  }[];
  readonly cpuMsPerDelivery: number | null;
  readonly links: LinkUsage | null;
  /** Null where the trace ends before it was told. */
  readonly clockErrorMs: number | null;
  /** Lines that never came onto the disk: figures that count are then too low. */
  readonly lostLines: number;
  /** Where the trace was broken: line, from 1. */
  readonly brokenAtLine: number | null;
}
