import type { Tally } from "./attackers.ts";
import type { WitnessReport } from "./witness_worker.ts";

/** What one attack did, what the target made of it, and what honest peers noticed. */
export interface AttackFindings {
  readonly attack: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly rate: number;
  readonly sent: Readonly<Tally>;
  /** Null where the target told nothing. */
  readonly validatorCalls: number | null;
  /** Attackers that the target hung up on. */
  readonly hungUp: number;
  /** From its first hostile byte, how long the first flooder lasted; null where it was not hung up. */
  readonly firstHungUpMs: number | null;
  /** How long the most patient flooder was suffered. */
  readonly longestStayMs: number | null;
  /**
   * From its first hostile byte, when the first flooder's score fell to where all that it sends is ignored; null where the
   * target does not tell, or hung up before.
   */
  readonly graylistedMs: number | null;
  /** Null where it was not tried: nobody was hung up. */
  readonly redialRefused: boolean | null;
  readonly honest: WitnessReport;
  /** The target's neighbours; null where there were none. `delivered`: of the honest messages, by all of them together, up to 1. */
  readonly neighbours: { readonly nodes: number; readonly delivered: number } | null;
  readonly target: {
    readonly alive: boolean;
    readonly eventLoopP99Ms: number | null;
    readonly eventLoopMaxMs: number | null;
    /** The longest that its main thread worked without a look at anything new, in CPU time; null where it is not ours. */
    readonly longestStallMs: number | null;
    /** Share of one core during the attack. */
    readonly cpu: number | null;
    /** Null where it was not measured. */
    readonly heapGrowthBytes: number | null;
    /** Whether garbage was collected before and after: else the growth may be all garbage. */
    readonly heapIsLive: boolean;
    readonly rssBytes: number | null;
    /** Peers that it hung up, by reason. */
    readonly disconnects: Readonly<Record<string, number>>;
  };
  readonly notes: Readonly<Record<string, number | string | boolean>>;
  /** Why the attack could not be made; null where it was. */
  readonly skipped: string | null;
  /** What the attack itself found wrong. */
  readonly faults: readonly string[];
}
