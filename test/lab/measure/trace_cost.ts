/** What tracing costs: the same run with a trace and without, in turn. `LODESTAR_PRESET=minimal node test/lab/measure/trace_cost.ts [rounds]` */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { topologyOf } from "../../../src/lab/measure/measure.ts";
import { runNetwork } from "../../../src/lab/measure/run.ts";
import { PARAMS } from "./fixture.ts";

const rounds = Number(process.argv[2] ?? 3);
const params = { ...PARAMS, nodes: 30, rate: 15, messages: 150, warmupMessages: 60 };
const dir = await mkdtemp(join(tmpdir(), "msgbus-cost-"));
const cpuMs = { traced: [] as number[], plain: [] as number[] };
for (let round = 0; round < 2 * rounds; round++) {
  const trace = round % 2 === 0;
  const { processes } = await runNetwork(params, await topologyOf(params), join(dir, "trace.ndjson"), {
    clock: systemClock,
    signal: new AbortController().signal,
    version: "0.0.0",
    onProgress: () => {},
    trace,
  });
  const total = processes.reduce((sum, usage) => sum + usage.cpuMs, 0);
  cpuMs[trace ? "traced" : "plain"].push(total);
  process.stdout.write(`${trace ? "traced" : "plain "} ${total.toFixed(0)} ms\n`);
}
await rm(dir, { recursive: true });
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
process.stdout.write(`tracing: ${(100 * (median(cpuMs.traced) / median(cpuMs.plain) - 1)).toFixed(1)} % CPU\n`);
