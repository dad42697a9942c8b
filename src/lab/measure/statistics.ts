/** Numbers about numbers. */
import type { Random } from "../../base/random.ts";

/**
 * The smallest value that at least the share `q` of all values do not exceed (nearest rank): always one that occurred.
 * Null where there are none. `sorted` ascending.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}

export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Null where there are no values. */
export function distributionOf(values: readonly number[]): Distribution | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (q: number) => round(quantile(sorted, q) as number);
  return {
    count: sorted.length,
    mean: round(sorted.reduce((sum, value) => sum + value, 0) / sorted.length),
    min: at(0),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}

/** To what the clock can tell: microseconds, where values are milliseconds. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 200;

/**
 * A 95 % interval of a quantile by the bootstrap over groups: deliveries of one message go together, since one slow hop
 * delays many of them. Null where there are no values.
 */
export function bootstrapQuantile(groups: readonly Float64Array[], q: number, random: Random): Interval | null {
  const total = groups.reduce((sum, { length }) => sum + length, 0);
  if (total === 0) return null;
  const results = new Float64Array(RESAMPLES);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    const drawn = groups.map(() => groups[random.below(groups.length)] as Float64Array);
    const values = new Float64Array(drawn.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const group of drawn) {
      values.set(group, offset);
      offset += group.length;
    }
    results[resample] = quantile(values.sort(), q) ?? Number.NaN;
  }
  results.sort();
  return { low: round(quantile(results, 0.025) as number), high: round(quantile(results, 0.975) as number) };
}
