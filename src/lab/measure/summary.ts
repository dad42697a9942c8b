/** What one run, or several of one configuration, say of each figure. */
import { formatValue, METRICS } from "./metrics.ts";
import type { Report } from "./report.ts";
import { type Interval, quantile } from "./statistics.ts";

/** What is known of one figure: its value, or the median of several runs'. */
export interface Estimate {
  readonly value: number;
  /** Null where one run says nothing of its noise. */
  readonly interval: Interval | null;
}

export type Estimates = Readonly<Record<string, Estimate>>;

export interface Summary {
  readonly runs: number;
  readonly configHash: string;
  readonly estimates: Estimates;
}

/**
 * Medians over runs, each with the smallest and the largest value: of n runs these hold the true median with a
 * probability of 1 − 2^(1−n), 94 % for five.
 */
export function summarize(reports: readonly Report[], configHash: string): Summary {
  if (reports.length === 1) return { runs: 1, configHash, estimates: singleRun(reports[0] as Report) };
  const estimates: Record<string, Estimate> = {};
  for (const { key, value } of METRICS) {
    const values = reports
      .map(value)
      .filter((one) => one !== null)
      .sort((a, b) => a - b);
    const median = medianOf(values);
    if (median === null) continue;
    estimates[key] = { value: median, interval: { low: values[0] as number, high: values.at(-1) as number } };
  }
  return { runs: reports.length, configHash, estimates };
}

function medianOf(sorted: readonly number[]): number | null {
  const low = quantile(sorted, 0.5);
  const high = sorted[Math.floor(sorted.length / 2)];
  // As exact as what it is made of: halves of microseconds.
  return low === null || high === undefined ? null : Math.round(((low + high) / 2) * 1e7) / 1e7;
}

/** Its noise is what the bootstrap says, where it says anything; other runs may differ by more. */
function singleRun(report: Report): Estimates {
  const intervals: Record<string, Interval | null> = {
    latency_p50: report.latencyMs.intervals.p50,
    latency_p99: report.latencyMs.intervals.p99,
    delivery_ratio: report.delivery.bounds,
  };
  const estimates: Record<string, Estimate> = {};
  for (const { key, value } of METRICS) {
    const one = value(report);
    if (one !== null) estimates[key] = { value: one, interval: intervals[key] ?? null };
  }
  return estimates;
}

/** Its interval in brackets. */
export function estimateText(estimate: Estimate | null, unit: string): string {
  if (estimate === null) return "–";
  const { value, interval } = estimate;
  const text = formatValue(value, unit);
  if (interval === null || interval.low === interval.high) return text;
  return `${text} [${formatValue(interval.low, "")}, ${formatValue(interval.high, "")}]`;
}

/** Medians with their intervals. */
export function summaryTable({ estimates }: Summary): string {
  const width = Math.max(...METRICS.map(({ label }) => label.length));
  return METRICS.map(
    ({ key, label, unit }) => `${label.padEnd(width)}  ${estimateText(estimates[key] ?? null, unit)}`,
  ).join("\n");
}
