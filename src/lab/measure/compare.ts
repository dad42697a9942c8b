/** Runs side by side. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Cdf } from "../../page/report/data.ts";
import { METRICS, type Metric } from "./metrics.ts";
import type { RunParams } from "./params.ts";
import type { Report } from "./report.ts";
import { readParams, readReport, readSummary, SUMMARY_FILE } from "./run_dir.ts";
import { type Estimate, estimateText, type Summary, summarize } from "./summary.ts";

export interface Contender {
  readonly name: string;
  readonly run: RunParams | null;
  readonly summary: Summary;
  /** Latency's distribution function of each run. */
  readonly cdfs: readonly Cdf[];
}

/**
 * @param dir of one run, or of several that `--repeat` made.
 * @param name for tables; one run that is partial says so behind it.
 * Throws a `CodedError` `RUN_UNREADABLE`.
 */
export async function readContender(dir: string, name = dir): Promise<Contender> {
  const hasSummary = await stat(join(dir, SUMMARY_FILE)).then(
    () => true,
    () => false,
  );
  if (hasSummary) {
    const { summary, dirs } = await readSummary(dir);
    const reports = await Promise.all(dirs.map(readReport));
    return { name, run: null, summary, cdfs: curvesOf(reports) };
  }
  const run = await readParams(dir);
  const report = await readReport(dir);
  return {
    name: report.partial ? `${name} (partial)` : name,
    run,
    summary: summarize([report], run.configHash),
    cdfs: curvesOf([report]),
  };
}

/** A run that delivered nothing has none. */
function curvesOf(reports: readonly Report[]): Cdf[] {
  return reports.map(({ latencyMs }) => latencyMs.cdf).filter(({ length }) => length > 0);
}

export type Judgement = "better" | "worse" | "differs" | "within noise" | "unknown";

export interface ComparedMetric {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  /** One a contender, the first being what the others are compared with. */
  readonly values: readonly (Estimate | null)[];
  /** Over the first; null for it, and where it is zero. */
  readonly ratios: readonly (number | null)[];
  readonly judgements: readonly (Judgement | null)[];
}

/** What a table needs of one. */
export type Entrant = Pick<Contender, "name" | "summary">;

export function compare(contenders: readonly Entrant[]): ComparedMetric[] {
  return METRICS.map((metric) => {
    const values = contenders.map(({ summary }) => summary.estimates[metric.key] ?? null);
    const [base = null, ...others] = values;
    return {
      key: metric.key,
      label: metric.label,
      unit: metric.unit,
      values,
      ratios: [
        null,
        ...others.map((other) =>
          base === null || other === null || base.value === 0 ? null : other.value / base.value,
        ),
      ],
      judgements: [null, ...others.map((other) => judge(metric, base, other))],
    };
  });
}

/** A difference is one where the intervals have nothing in common. */
function judge({ better }: Metric, base: Estimate | null, other: Estimate | null): Judgement {
  if (base === null || other === null) return "unknown";
  if (base.value === other.value) return "within noise";
  if (base.interval === null || other.interval === null) return "unknown";
  const isHigher = other.interval.low > base.interval.high;
  if (!isHigher && other.interval.high >= base.interval.low) return "within noise";
  if (better === "neither") return "differs";
  return isHigher === (better === "higher") ? "better" : "worse";
}

const SIGNS: Readonly<Record<Judgement, string>> = {
  better: "better",
  worse: "worse",
  differs: "differs",
  "within noise": "≈",
  unknown: "",
};

export function compareTable(contenders: readonly Entrant[]): string {
  const rows = [
    [
      "",
      ...contenders.flatMap(({ name, summary }, k) =>
        k === 0 ? [`${name} (${summary.runs})`] : [`${name} (${summary.runs})`, "ratio", ""],
      ),
    ],
    ...compare(contenders).map(({ label, unit, values, ratios, judgements }) => [
      label,
      ...values.flatMap((estimate, k) => {
        const text = estimateText(estimate, unit);
        const ratio = ratios[k] ?? null;
        const judgement = judgements[k] ?? null;
        return k === 0
          ? [text]
          : [text, ratio === null ? "" : `${ratio.toPrecision(3)}×`, judgement === null ? "" : SIGNS[judgement]];
      }),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
