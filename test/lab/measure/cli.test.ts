import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LAUNCHER, run } from "../../cli/run.ts";

const RUN_TIMEOUT_MS = 240_000;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  await writeFile(join(dir, "island.json"), '{"nodes": ["a", "b", "c"], "links": [["a", "b"]]}');
  await writeFile(join(dir, "pair.json"), '{"nodes": ["a", "b"], "links": [["a", "b"]]}');
  await writeFile(join(dir, "unknown.yaml"), "matrix: {degrees: [8]}");
  await writeFile(join(dir, "value.yaml"), "matrix: {latency: [none, soon]}");
  await writeFile(join(dir, "rate.yaml"), "matrix: {rate: [fast]}");
  await writeFile(join(dir, "good.yaml"), "base: {nodes: 3, messages: 3, rate: 20}\nmatrix: {degree: [2, 1]}");
  await writeFile(join(dir, "netns.yaml"), "base: {netns: maybe}\nmatrix: {degree: [8]}");
  await mkdir(join(dir, "full"));
  await writeFile(join(dir, "full", "notes.txt"), "mine");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const measureWith = (...args: string[]) =>
  run([LAUNCHER, "measure", ...args.map((arg) => arg.replace("DIR", dir))], { MSGBUS_LEASH: "" });

it.each([
  [["--topology", "DIR/island.json"], 1, "cut off"],
  [["--topology", "DIR/absent.json"], 1, "TOPOLOGY_UNREADABLE"],
  [["--topology", "DIR/pair.json", "--nodes", "3"], 1, "BAD_NODES"],
  [["--latency", "soon"], 1, "BAD_LATENCY"],
  [["--bandwidth", "wide"], 1, "BAD_BANDWIDTH"],
  [["--nodes", "1"], 2, "from 2 to"],
  [["--rate", "fast"], 2, "It must be from"],
  [["--loss", "1"], 2, "below 1"],
  [["--trace-format", "xml"], 2, "pubsub, interop"],
  [["--attack", "mutation"], 1, "BAD_ATTACK"],
  [["--attack", "teapot@1"], 1, "UNKNOWN_ATTACK"],
  [["--attack", "mutation@60"], 1, "begins after the last message"],
  [["--out", "DIR/full"], 1, "OUT_EXISTS"],
  [["--out", "DIR/full", "--repeat", "2"], 1, "OUT_EXISTS"],
  [["--nodes", "10000", "--degree", "60", "--out", "DIR/huge"], 1, "nodes fit"],
  [["compare", "DIR"], 2, "two directories"],
  [["compare", "DIR", "DIR"], 1, "RUN_UNREADABLE"],
  [["report", "DIR"], 1, "RUN_UNREADABLE"],
  [["sweep", "DIR/unknown.yaml"], 1, 'no option "degrees"'],
  [["sweep", "DIR/value.yaml"], 1, "BAD_LATENCY"],
  [["sweep", "DIR/rate.yaml"], 1, "SWEEP_INVALID"],
  [["sweep", "DIR/netns.yaml"], 1, "it must be true or false"],
  [["sweep", "DIR/good.yaml", "--cell", "2"], 1, "NO_CELL"],
  [["sweep", "DIR/good.yaml", "--collect", "--out", "DIR/absent"], 1, "RUN_UNREADABLE"],
  [["sweep", "DIR/good.yaml", "--collect", "--cell", "1"], 2, "cannot be used with"],
  [["observe", "--network", "DIR"], 1, "NETWORK_UNREADABLE"],
])(
  "measure %j: exits with %i and says %s",
  async (args, code, message) => {
    const finished = await measureWith(...args);
    expect(finished.stderr).toContain(message);
    expect(finished.code).toBe(code);
    expect(finished.stdout).toBe("");
  },
  RUN_TIMEOUT_MS,
);

it("measure: says where temporary files cannot be written, and leaves nothing behind", async () => {
  const out = join(dir, "untried");
  const finished = await run([LAUNCHER, "measure", "--nodes", "2", "--out", out], { TMPDIR: join(dir, "absent") });
  expect(finished.stderr).toContain("TEMP_UNWRITABLE");
  expect(finished.code).toBe(1);
  expect(await readdir(out)).toEqual([]);
});

it(
  "measure: repeats, sums up, sweeps and compares",
  async () => {
    const sweep = join(dir, "sweep.yaml");
    await writeFile(sweep, "base: {nodes: 4, messages: 5, rate: 20}\nmatrix: {degree: [2, 3], repeat: [2]}");
    const swept = await measureWith("sweep", sweep, "--out", "DIR/swept", "--json");
    expect(swept.stderr).toBe("");
    expect(swept.code).toBe(0);
    const events = swept.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual([
      ...["combination", "report", "report", "summary"],
      ...["combination", "report", "report", "summary"],
      "sweep",
    ]);
    const names = ["degree=2+repeat=2", "degree=3+repeat=2"];
    expect((await readdir(join(dir, "swept"))).sort()).toEqual([...names, "compare.html", "sweep.csv"].sort());
    const [head = "", ...rows] = (await readFile(join(dir, "swept", "sweep.csv"), "utf8")).trimEnd().split("\n");
    const column = head.split(",").indexOf("delivery_ratio");
    expect(rows.map((row) => row.split(",")[column])).toEqual(["1", "1"]);

    const compareInto = (...out: string[]) =>
      measureWith("compare", ...names.map((name) => join(dir, "swept", name)), ...out);
    // Nothing is written that was not asked for.
    expect(await compareInto()).toMatchObject({ code: 0, stdout: expect.not.stringContaining("Written to") });
    const compareAgain = () => compareInto("--out", "DIR/compare.html");
    const compared = await compareAgain();
    expect(compared.code).toBe(0);
    expect(compared.stdout).toContain("publish → deliver p50");
    expect(compared.stdout).toContain("The configurations differ");
    expect(await readFile(join(dir, "compare.html"), "utf8")).toContain("Comparison of 2 measurements");
    expect((await compareAgain()).stderr).toContain("OUT_EXISTS");
  },
  RUN_TIMEOUT_MS,
);

it(
  "measure sweep: cells that were run apart, in any order, are collected into one table",
  async () => {
    for (const cell of ["1", "0"]) {
      const args = ["sweep", "DIR/good.yaml", "--cell", cell, "--out", "DIR/cells"];
      expect(await measureWith(...args)).toMatchObject({ code: 0, stderr: "" });
    }
    const collected = await measureWith("sweep", "DIR/good.yaml", "--collect", "--out", "DIR/cells");
    expect(collected).toMatchObject({ code: 0, stderr: "" });
    const [head, ...rows] = (await readFile(join(dir, "cells", "sweep.csv"), "utf8")).trimEnd().split("\n");
    expect(head).toMatch(/^nodes,messages,rate,degree,runs,/);
    expect(rows.map((row) => row.split(",").slice(0, 5).join())).toEqual(["3,3,20,2,1", "3,3,20,1,1"]);
  },
  RUN_TIMEOUT_MS,
);
