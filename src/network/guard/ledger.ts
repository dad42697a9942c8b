import { GUARD_KINDS, type GuardKind, LIMITS } from "./limits.ts";

interface Bucket {
  tokens: number;
  filledMs: number;
  /** All that was ever spent, for people to read. */
  total: number;
}

/** What one peer has spent of each limit. */
export class Ledger {
  readonly #buckets: Record<GuardKind, Bucket>;

  constructor(nowMs: number) {
    this.#buckets = Object.fromEntries(
      GUARD_KINDS.map((kind): [GuardKind, Bucket] => [kind, { tokens: LIMITS[kind].burst, filledMs: nowMs, total: 0 }]),
    ) as Record<GuardKind, Bucket>;
  }

  /** False where the limit does not allow it; it is spent all the same. */
  spend(kind: GuardKind, amount: number, nowMs: number): boolean {
    const bucket = this.#fill(kind, nowMs);
    bucket.total += amount;
    bucket.tokens -= amount;
    return bucket.tokens >= 0;
  }

  /** Gives tokens back, or in advance: at most `spare` above the burst. */
  grant(kind: GuardKind, amount: number, spare = 0): void {
    const bucket = this.#buckets[kind];
    bucket.tokens = Math.max(bucket.tokens, Math.min(LIMITS[kind].burst + spare, bucket.tokens + amount));
  }

  /** Of the burst, from 0 to 1. */
  spentShare(kind: GuardKind, nowMs: number): number {
    return Math.min(1, Math.max(0, 1 - this.#fill(kind, nowMs).tokens / LIMITS[kind].burst));
  }

  /** Kinds that were spent at all, and how much. */
  totals(): Partial<Record<GuardKind, number>> {
    return Object.fromEntries(
      GUARD_KINDS.filter((kind) => this.#buckets[kind].total > 0).map((kind) => [kind, this.#buckets[kind].total]),
    );
  }

  #fill(kind: GuardKind, nowMs: number): Bucket {
    const bucket = this.#buckets[kind];
    const { burst, perSecond } = LIMITS[kind];
    if (bucket.tokens < burst) {
      bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.filledMs) / 1000) * perSecond);
    }
    bucket.filledMs = nowMs;
    return bucket;
  }
}
