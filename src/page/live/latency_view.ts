/** How long messages take: through the network on a devnet, through the check on a single node. */

import { dataTable } from "../charts/data_table.ts";
import { type BucketSeries, latencyBuckets, latencyBucketsTable } from "../charts/latency.ts";
import { mount } from "../charts/mount.ts";
import { card, h, setText, tiles } from "./dom.ts";
import type { VerdictLine } from "./facts.ts";
import { duration, percentile } from "./text.ts";
import type { View } from "./view.ts";

/** Upper bounds in milliseconds, for delays between processes of one machine. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, Number.POSITIVE_INFINITY] as const;

export interface LatencyChart {
  readonly element: HTMLElement;
  set(buckets: Pick<BucketSeries, "upperMs" | "counts">): void;
}

/** `counted`: what the bars count. */
export function latencyChart(label: string, counted: string): LatencyChart {
  const box = h("div", { class: "chart" });
  let series: BucketSeries = { name: counted, upperMs: [...BOUNDS_MS], counts: BOUNDS_MS.map(() => 0) };
  const chart = mount(box, latencyBuckets({ series: [series], counted }), label);
  return {
    element: h(
      "div",
      {},
      box,
      dataTable(label, () => latencyBucketsTable({ series: [series] })),
    ),
    set(next) {
      series = { name: counted, ...next };
      chart.set(latencyBuckets({ series: [series], counted }));
    },
  };
}

export function latencyView(): View {
  const chart = latencyChart("Time from the first ACCEPT to another node's", "deliveries");
  const figures = tiles(["Deliveries", "Median", "95 %", "Longest"]);
  const note = h("p", { class: "hint" });
  const element = card("Latency", figures.element, chart.element, note);
  setText(
    note,
    "From the first node's ACCEPT to each other node's that gossip brought the message to. All nodes share one clock; " +
      "times are whole milliseconds.",
  );
  let shown: VerdictLine | undefined;
  return {
    element,
    update(model) {
      const newest = model.verdicts.at(-1);
      if (newest === shown) return;
      shown = newest;
      // A network of a thousand has 300,000 of them: sorted once, in a form that is sorted fast.
      const delays = Float64Array.from(model.delays()).sort();
      figures.set("Deliveries", String(delays.length));
      const quantile = (share: number) => {
        const value = percentile(delays, share);
        return value === null ? "–" : duration(value);
      };
      figures.set("Median", quantile(0.5));
      figures.set("95 %", quantile(0.95));
      figures.set("Longest", quantile(1));
      const counts: number[] = BOUNDS_MS.map(() => 0);
      let bucket = 0;
      for (const ms of delays) {
        while (ms > (BOUNDS_MS[bucket] ?? ms)) bucket++;
        counts[bucket] = (counts[bucket] ?? 0) + 1;
      }
      chart.set({ upperMs: BOUNDS_MS, counts });
    },
  };
}
