import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { expect, it } from "vitest";
import { addRunOptions, commandOf, paramsOf, type RunFlags } from "../../../src/cli/measure/flags.ts";
import { parseAttack } from "../../../src/lab/measure/attacks.ts";
import type { MeasureParams } from "../../../src/lab/measure/params.ts";

const flagsOf = (args: readonly string[]) =>
  addRunOptions(new Command()).parse(args, { from: "user" }).opts<RunFlags>();

/** As a shell hands them on. */
function wordsOf(command: string): string[] {
  const { stdout } = spawnSync("sh", ["-c", `set -- ${command}; printf '%s\\n' "$@"`], { encoding: "utf8" });
  return stdout.trimEnd().split("\n");
}

it("measure: the command in params.json makes the same run again, whatever a topology's file is called", async () => {
  const dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  const topology = join(dir, "Ana's two nodes.json");
  await writeFile(topology, '{"nodes": ["a", "b"], "links": [["a", "b"]]}');
  const params: MeasureParams = {
    nodes: 2,
    rate: 2.5,
    messages: 40,
    warmupMessages: 8,
    topology,
    degree: 7,
    latency: "normal:5ms, 1ms",
    bandwidth: "uniform:50mbit",
    loss: 0.01,
    churn: 0.02,
    netns: true,
    stack: "stock",
    attacks: [parseAttack("mutation@0.5..3"), parseAttack("ihave-flood@1")],
    attackRate: 77,
    seed: 9,
    deadlineMs: 2500,
  };
  const [program, command, ...args] = wordsOf(commandOf(params));
  expect([program, command]).toEqual(["msgbus", "measure"]);
  expect(await paramsOf(flagsOf(args))).toEqual(params);
  await rm(dir, { recursive: true });
});

it("measure: 50 nodes, 10 messages a second and 300 messages, where nothing is asked for", async () => {
  expect(await paramsOf(flagsOf([]))).toMatchObject({
    nodes: 50,
    rate: 10,
    messages: 300,
    warmupMessages: 30,
    topology: "random",
    latency: "none",
    stack: "msgbus",
  });
});
