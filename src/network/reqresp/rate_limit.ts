import type { Clock } from "../../base/clock.ts";
import type { Quota } from "./protocols.ts";

/** Buckets kept at once, a peer and protocol each; the one idle for longest goes first, and is mostly full again. */
const MAX_BUCKETS = 4096;

export interface RateLimit {
  /** Takes `tokens` from the peer's bucket, or tells that it holds too few. */
  take(peerId: string, protocolId: string, quota: Quota, tokens: number): boolean;
}

/** Token buckets that outlive connections: redialing does not refill them. */
export function createRateLimit(clock: Clock): RateLimit {
  const buckets = new Map<string, { tokens: number; filledMs: number }>();
  return {
    take(peerId, protocolId, quota, tokens) {
      const key = `${peerId} ${protocolId}`;
      const nowMs = clock.monotonicMs();
      const kept = buckets.get(key) ?? { tokens: quota.burst, filledMs: nowMs };
      const refilled = kept.tokens + ((nowMs - kept.filledMs) / quota.periodMs) * quota.burst;
      const available = Math.min(quota.burst, refilled);
      const granted = tokens <= available;
      buckets.delete(key);
      buckets.set(key, { tokens: granted ? available - tokens : available, filledMs: nowMs });
      if (buckets.size > MAX_BUCKETS) buckets.delete(buckets.keys().next().value as string);
      return granted;
    },
  };
}
