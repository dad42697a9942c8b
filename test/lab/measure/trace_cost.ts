/**
 * What tracing costs: the same network with a trace and without, both at once, so that what else the machine does hits
 * both. `LODESTAR_PRESET=minimal node test/lab/measure/trace_cost.ts [rounds]`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { topologyOf } from "../../../src/lab/measure/measure.ts";
import { runNetwork } from "../../../src/lab/measure/run.ts";
import { PARAMS } from "./fixture.ts";

const rounds = Number(process.argv[2] ?? 7);
const dir = await mkdtemp(join(tmpdir(), "msgbus-cost-"));

/** Milliseconds of CPU of all processes of nodes, from the first message that counts. */
async function cpuOf(trace: boolean, seed: number): Promise<number> {
  const params = { ...PARAMS, nodes: 30, rate: 15, messages: 300, warmupMessages: 150, seed };
  const { processes } = await runNetwork(params, await topologyOf(params), join(dir, `${trace}.ndjson`), {
    clock: systemClock,
    signal: new AbortController().signal,
    version: "0.0.0",
    onProgress: () => {},
    trace,
  });
  return processes.reduce((sum, usage) => sum + usage.cpuMs, 0);
}

const percents: number[] = [];
for (let round = 1; round <= rounds; round++) {
  const [traced, plain] = await Promise.all([cpuOf(true, round), cpuOf(false, round)]);
  const percent = 100 * (traced / plain - 1);
  percents.push(percent);
  process.stdout.write(
    `traced ${traced.toFixed(0)} ms, plain ${plain.toFixed(0)} ms of CPU: ${percent.toFixed(1)} % more\n`,
  );
}
await rm(dir, { recursive: true });
percents.sort((a, b) => a - b);
process.stdout.write(
  `tracing: ${(percents[Math.floor(rounds / 2)] as number).toFixed(1)} % CPU, median of ${rounds}\n`,
);
