import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { analyse } from "../../../src/lab/measure/analyse.ts";
import { assertWithin, formatAttack, parseAttack } from "../../../src/lab/measure/attacks.ts";
import { measure } from "../../../src/lab/measure/measure.ts";
import { reportNotes } from "../../../src/lab/measure/table.ts";
import type { TraceEvent } from "../../../src/lab/measure/trace.ts";
import { readTrace } from "../../../src/lab/measure/trace_file.ts";
import { PARAMS } from "./fixture.ts";

const RUN_TIMEOUT_MS = 180_000;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it("attacks: are written as name and time, and with ten seconds where no end is given", () => {
  expect(parseAttack("mutation@5")).toEqual({ name: "mutation", fromMs: 5_000, toMs: 15_000 });
  expect(parseAttack("ihave-flood@0.5..2")).toEqual({ name: "ihave-flood", fromMs: 500, toMs: 2_000 });
  expect(formatAttack(parseAttack("ihave-flood@0.5..2"))).toBe("ihave-flood@0.5..2");
});

it.each(["mutation", "mutation@", "@5", "mutation@5..5", "mutation@6..5", "mutation@-1", "mutation@1e3"])(
  "attacks: %s is none",
  (text) => {
    expect(() => parseAttack(text)).toThrow(expect.objectContaining({ code: "BAD_ATTACK" }));
  },
);

it("attacks: a group, or a name that the catalogue has not, is unknown", () => {
  for (const name of ["messages", "all", "teapot"]) {
    expect(() => parseAttack(`${name}@1`)).toThrow(expect.objectContaining({ code: "UNKNOWN_ATTACK" }));
  }
});

it("attacks: none may begin when all messages are published", () => {
  const attacks = [parseAttack("mutation@5..15")];
  expect(() => assertWithin(attacks, 5_001)).not.toThrow();
  expect(() => assertWithin(attacks, 5_000)).toThrow(expect.objectContaining({ code: "BAD_ATTACK" }));
});

it("attacks: what is hostile counts as no delivery, copy or refusal, and the honest messages fall to their phases", async () => {
  const ms = (value: number) => value * 1000;
  const sent = { identities: 2, rpcs: 9, messages: 9, bytes: 900, hungUp: 1, skipped: null, faults: [] };
  // Messages 0 to 2 are the run's; 7 and 8 were met under way.
  const events: TraceEvent[] = [
    ...[0, 1].map((n): TraceEvent => ({ t: 0, e: "up", n })),
    { t: ms(100), e: "start" },
    { t: ms(100), e: "publish", n: 0, m: 0, late: 0 },
    { t: ms(110), e: "deliver", n: 1, p: 0, m: 0, v: 50 },
    { t: ms(200), e: "attack", n: 1, name: "mutation" },
    { t: ms(210), e: "deliver", n: 1, p: 5, m: 7, v: 50 },
    { t: ms(211), e: "duplicate", n: 1, p: 5, m: 7 },
    { t: ms(212), e: "reject", n: 1, p: 5, m: 8, reason: "reject" },
    { t: ms(250), e: "publish", n: 0, m: 1, late: 0 },
    { t: ms(290), e: "deliver", n: 1, p: 0, m: 1, v: 50 },
    { t: ms(300), e: "attacked", n: 1, name: "mutation", ...sent },
    { t: ms(400), e: "publish", n: 0, m: 2, late: 0 },
    { t: ms(6_000), e: "end" },
  ];
  const header = { e: "run", version: 1, epochMs: 0, topics: ["t"], nodes: ["a", "b"], messages: ["00", "01", "02"] };
  const lines = [{ ...header, payloadBytes: [10, 10, 10], firstCounted: 0 }, ...events].map((line) =>
    JSON.stringify(line),
  );
  const file = join(dir, "trace.ndjson");
  await writeFile(file, `${lines.join("\n")}\n`);
  const { report } = await analyse(await readTrace(file), PARAMS);
  expect(report).toMatchObject({
    delivery: { pairs: 3, delivered: 2 },
    duplicates: { copies: 0 },
    rejected: 0,
    hostile: { accepted: 1, refused: 1 },
    attacks: [{ name: "mutation", node: 1, fromMs: 100, toMs: 200, outcome: sent }],
    phases: {
      before: { messages: 1, ratio: 1, latencyMs: { p50: 10 } },
      during: { messages: 1, ratio: 1, latencyMs: { p50: 40 } },
      after: { messages: 1, ratio: 0, latencyMs: null },
    },
  });
  expect(reportNotes(report).join("\n")).toContain("mutation at node 1, from 0.1 s to 0.2 s: 2 identities sent 9 RPCs");
  const [attack] = report.attacks;
  const early = { ...report, attacks: attack === undefined ? [] : [{ ...attack, fromMs: -4 }] };
  expect(reportNotes(early).join("\n")).toContain("mutation at node 1, from 0.0 s to 0.2 s");
});

it(
  "attacks: a run under attack delivers what is honest, and tells of both",
  async () => {
    const attacks = [parseAttack("mutation@0.5..60"), parseAttack("malformed-frames@0.5..60")];
    const params = { ...PARAMS, nodes: 5, messages: 60, attacks };
    const outDir = join(dir, "run");
    const { report } = await measure(
      { params, outDir, force: false, command: "test", versions: {} },
      { clock: systemClock, signal: new AbortController().signal, version: "0.0.0", onProgress: () => {} },
    );
    expect(report).toMatchObject({ messages: 60, delivery: { ratio: 1 }, rejected: 0 });
    expect(report.attacks.map(({ name, outcome }) => [name, outcome?.skipped])).toEqual([
      ["mutation", null],
      ["malformed-frames", null],
    ]);
    expect(report.hostile.refused).toBeGreaterThan(0);
    const { before, during, after } = report.phases ?? {};
    expect((before?.pairs ?? 0) + (during?.pairs ?? 0) + (after?.pairs ?? 0)).toBe(60 * 4);
    // New names of the two processes have indices of their own.
    const names = (await readFile(join(outDir, "trace.ndjson"), "utf8")).match(/"e":"message","i":\d+/g) ?? [];
    expect(new Set(names).size).toBe(names.length);
  },
  RUN_TIMEOUT_MS,
);
