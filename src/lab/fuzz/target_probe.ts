/**
 * Loaded into a target of our own before its program: collects its garbage when asked, so that heaps can be compared, and
 * tells how long it stood still. That is CPU time of its main thread between two looks of a timer: on a machine that others use as
 * well, time by the clock says more of them.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { watchEvery } from "../../base/clock.ts";
import { answerParent } from "./program.ts";

/** `stall`: the longest since it was asked last, in ms. */
export type ProbeRequest = "garbage" | "stall";

/** What the figure may be too large by. */
const LOOK_INTERVAL_MS = 5;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
let usage = process.threadCpuUsage();
let longestUs = 0;

watchEvery(LOOK_INTERVAL_MS, () => {
  const { user, system } = process.threadCpuUsage(usage);
  usage = process.threadCpuUsage();
  longestUs = Math.max(longestUs, user + system);
});

answerParent((request) => {
  if ((request as ProbeRequest) === "garbage") {
    // What buffers held is given back beside the program's work, and surely when the next collection begins.
    collectGarbage();
    collectGarbage();
    usage = process.threadCpuUsage();
    return null;
  }
  const longestMs = longestUs / 1000;
  longestUs = 0;
  return longestMs;
});
