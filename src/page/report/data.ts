/** What report.html and compare.html hold for their charts. Lists stand in the order of time or of node. */
import type { VerdictResult } from "../charts/verdicts.ts";

/** Milliseconds, and the share of all pairs. */
export type Cdf = readonly (readonly [number, number])[];

/** Times in milliseconds since the first message that counts was due. */
export interface RunPicture {
  readonly firstReceiptCdf: Cdf;
  readonly histogram: {
    /** The last bound is null: no bound. */
    readonly upperMs: readonly (number | null)[];
    readonly counts: readonly number[];
  };
  readonly time: {
    readonly binMs: number;
    readonly attacks: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[];
    readonly publishedPerSecond: readonly number[];
    readonly deliveredPerSecond: readonly number[];
    /** Null where nothing was delivered. */
    readonly duplicatesPerDelivery: readonly (number | null)[];
    /** Of messages published in the bin. */
    readonly p50Ms: readonly (number | null)[];
    readonly p99Ms: readonly (number | null)[];
    readonly mesh: {
      readonly min: readonly (number | null)[];
      readonly median: readonly (number | null)[];
      readonly max: readonly (number | null)[];
    };
    readonly verdicts: readonly {
      readonly code: string;
      readonly result: VerdictResult;
      readonly counts: readonly number[];
    }[];
  };
  readonly ways: readonly Way[];
}

export interface Way {
  /** As in the trace. */
  readonly message: number;
  readonly publisher: number;
  readonly atMs: number;
  /** Node, the node that it came from, and microseconds since publishing, for each delivery. */
  readonly deliveries: readonly number[];
}

export interface RunPage {
  readonly kind: "run";
  readonly cdf: Cdf;
  readonly picture: RunPicture;
  /** Peer ids. */
  readonly nodes: readonly string[];
  readonly links: readonly (readonly [number, number])[];
}

export interface ComparePage {
  readonly kind: "compare";
  readonly contenders: readonly { readonly name: string; readonly cdfs: readonly Cdf[] }[];
  readonly metrics: readonly {
    readonly label: string;
    readonly values: readonly ({
      readonly value: number;
      readonly interval: { readonly low: number; readonly high: number } | null;
    } | null)[];
    readonly ratios: readonly (number | null)[];
    readonly judgements: readonly (string | null)[];
  }[];
}

export type PageData = RunPage | ComparePage;
