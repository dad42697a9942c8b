/** The charts of several runs side by side. */
import { latencyCdfTable, medianCdf } from "../charts/latency.ts";
import { latencyOverlay, type Ratios, ratioChart, ratioTable } from "../charts/overlay.ts";
import type { ComparePage } from "./data.ts";
import { addChart } from "./section.ts";

export function showCompare(parent: HTMLElement, { contenders, metrics }: ComparePage): void {
  const withCurves = contenders.filter(({ cdfs }) => cdfs.length > 0);
  if (withCurves.length > 0) {
    addChart(parent, {
      title: "Latency",
      description:
        "Share of pairs delivered, by milliseconds since publishing. Thick: the middle of a contender's runs. Thin: each of its runs.",
      option: latencyOverlay({ contenders: withCurves }),
      table: () => latencyCdfTable({ series: withCurves.map(({ name, cdfs }) => ({ name, points: medianCdf(cdfs) })) }),
      isWide: true,
    });
  }
  const ratios = ratiosOf(contenders, metrics);
  addChart(parent, {
    title: "Ratios",
    description:
      "Each figure over that of the first, with its interval. Where the intervals of both have nothing in common, the difference is beyond noise.",
    option: ratioChart(ratios),
    table: () => ratioTable(ratios),
    isTall: true,
  });
}

function ratiosOf(contenders: ComparePage["contenders"], metrics: ComparePage["metrics"]): Ratios {
  return {
    names: contenders.slice(1).map(({ name }) => name),
    rows: metrics
      .map(({ label, values: [base = null, ...others], ratios, judgements }) => ({
        metric: label,
        values: others.map((other, k) => {
          const ratio = ratios[k + 1] ?? null;
          if (base === null || other === null || ratio === null) return null;
          const { low, high } = other.interval ?? { low: other.value, high: other.value };
          return { ratio, low: low / base.value, high: high / base.value, judgement: judgements[k + 1] ?? "" };
        }),
      }))
      .filter(({ values }) => values.some((value) => value !== null)),
  };
}
