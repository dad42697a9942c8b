/**
 * Loaded into a target of our own before its program: collects its garbage when asked, so that heaps can be compared, and
 * tells how long it stood still. That is CPU time of its main thread between two looks of a timer: on a machine that others use as
 * well, time by the clock says more of them.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { watchEvery } from "../../base/clock.ts";

/** What the probe's parent asks by IPC; each is answered once. */
export type ProbeRequest = "garbage" | "stall";
export interface ProbeAnswer {
  readonly request: ProbeRequest;
  /** The longest since the last time that it was asked. */
  readonly stallMs: number;
}

/** What the figure may be too large by. */
const LOOK_INTERVAL_MS = 5;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
let usage = process.threadCpuUsage();
let stallUs = 0;

watchEvery(LOOK_INTERVAL_MS, () => {
  const { user, system } = process.threadCpuUsage(usage);
  usage = process.threadCpuUsage();
  stallUs = Math.max(stallUs, user + system);
});

process.on("message", (request: ProbeRequest) => {
  if (request === "garbage") {
    collectGarbage();
    usage = process.threadCpuUsage();
  }
  process.send?.({ request, stallMs: stallUs / 1000 } satisfies ProbeAnswer);
  if (request === "stall") stallUs = 0;
});
// It must not outlive its program.
process.channel?.unref();
