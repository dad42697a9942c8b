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
 * 95 % intervals of quantiles by the bootstrap over groups: deliveries of one message go together, since one slow hop
 * delays many of them. A resample only weighs each group by how often it was drawn, so that all values are sorted once, and
 * a resample's quantiles are found on a walk along them. One interval for each of `shares`; null where there are no values.
 * @param shares ascending.
 */
export function bootstrapQuantiles(
  groups: readonly Float64Array[],
  shares: readonly number[],
  random: Random,
): (Interval | null)[] {
  const { values, owners } = sortedTogether(groups);
  if (values.length === 0) return shares.map(() => null);
  const results = shares.map(() => new Float64Array(RESAMPLES));
  const weights = new Uint32Array(groups.length);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    weights.fill(0);
    let size = 0;
    for (const _ of groups) {
      const drawn = random.below(groups.length);
      weights[drawn] = (weights[drawn] ?? 0) + 1;
      size += groups[drawn]?.length ?? 0;
    }
    let index = -1;
    let passed = 0;
    for (const [k, share] of shares.entries()) {
      const rank = Math.max(1, Math.ceil(share * size));
      while (passed < rank && index < values.length) passed += weights[owners[++index] as number] as number;
      // Only empty groups were drawn.
      (results[k] as Float64Array)[resample] = size === 0 ? Number.NaN : (values[index] as number);
    }
  }
  return results.map((quantiles) => {
    quantiles.sort();
    return { low: round(quantile(quantiles, 0.025) as number), high: round(quantile(quantiles, 0.975) as number) };
  });
}

/** All values in order, and beside each the index of its group. */
function sortedTogether(groups: readonly Float64Array[]): { values: Float64Array; owners: Uint32Array } {
  const total = groups.reduce((sum, { length }) => sum + length, 0);
  const [values, owners] = [new Float64Array(total), new Uint32Array(total)];
  let offset = 0;
  for (const [index, group] of groups.entries()) {
    values.set(group, offset);
    owners.fill(index, offset, offset + group.length);
    offset += group.length;
  }
  const order = Uint32Array.from({ length: total }, (_, k) => k).sort(
    (a, b) => (values[a] as number) - (values[b] as number),
  );
  return {
    values: Float64Array.from(order, (k) => values[k] as number),
    owners: Uint32Array.from(order, (k) => owners[k] as number),
  };
}
