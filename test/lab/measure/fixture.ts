import type { MeasureParams } from "../../../src/lab/measure/params.ts";

/** A run of two seconds and a half. */
export const PARAMS: MeasureParams = {
  nodes: 8,
  rate: 10,
  messages: 20,
  warmupMessages: 5,
  topology: "random",
  degree: 16,
  latency: "none",
  bandwidth: "none",
  loss: 0,
  churn: 0,
  netns: false,
  stack: "msgbus",
  attacks: [],
  attackRate: 500,
  seed: 1,
  deadlineMs: 5_000,
};
