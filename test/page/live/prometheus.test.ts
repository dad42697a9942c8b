import { expect, test } from "vitest";
import { createMetrics } from "../../../src/api/metrics.ts";
import { histogramOf, parseMetrics, sampleOf } from "../../../src/page/live/prometheus.ts";

test("metrics: reads what our own registry tells", async () => {
  const metrics = createMetrics();
  metrics.setHeadSlot(42);
  metrics.observeVerdict("triggered_exit", { result: "accept", code: "VALID" }, 0.3);
  metrics.observeVerdict("triggered_exit", { result: "reject", code: "FORGED_PROOF" }, 3);
  metrics.observeVerdict("beacon_block", { result: "accept", code: "VALID" }, 3);
  const samples = parseMetrics(await metrics.render());
  expect(sampleOf(samples, "msgbus_head_slot")).toBe(42);
  expect(sampleOf(samples, "msgbus_no_such_metric")).toBeNull();
  expect(samples).toContainEqual({
    name: "msgbus_gossip_verdicts_total",
    labels: { topic: "triggered_exit", result: "reject", code: "FORGED_PROOF" },
    value: 1,
  });
  const histogram = histogramOf(samples, "msgbus_gossip_verdict_seconds", "topic", "triggered_exit");
  expect(histogram.count).toBe(2);
  expect(histogram.upper.at(-1)).toBe(Number.POSITIVE_INFINITY);
  expect(histogram.counts[histogram.upper.indexOf(0.0005)]).toBe(1);
  expect(histogram.counts[histogram.upper.indexOf(0.01)]).toBe(1);
  expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
});

test("metrics: labels may hold quotes, backslashes and line breaks; other lines are passed over", () => {
  const text = '# HELP x y\nx{a="say \\"hi\\"",b="c\\\\d\\ne"} 1\nnonsense\n\nx +Inf\n';
  expect(parseMetrics(text)).toEqual([
    { name: "x", labels: { a: 'say "hi"', b: "c\\d\ne" }, value: 1 },
    { name: "x", labels: {}, value: Number.POSITIVE_INFINITY },
  ]);
});

test("metrics: a histogram that has not begun is empty", () => {
  expect(histogramOf([], "x", "topic", "y")).toEqual({ upper: [], counts: [], count: 0 });
});
