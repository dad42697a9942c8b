import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { convertTrace, TRACE_FORMATS } from "../../../src/lab/measure/formats/format.ts";
import { type Measurement, measure, reportAgain } from "../../../src/lab/measure/measure.ts";
import { configHash, type MeasureParams } from "../../../src/lab/measure/params.ts";
import type { RunProgress } from "../../../src/lab/measure/run.ts";
import { PARAMS } from "./fixture.ts";

const RUN_TIMEOUT_MS = 180_000;
/** What go-libp2p-pubsub asks for. */
const GO_MINOR_VERSION = 26;
const GO_TIMEOUT_MS = 280_000;
const goVersion = /go1\.(\d+)/.exec(spawnSync("go", ["version"], { encoding: "utf8" }).stdout ?? "")?.[1];
const hasGo = Number(goVersion ?? 0) >= GO_MINOR_VERSION;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function runInto(
  name: string,
  params: Partial<MeasureParams>,
  { signal = new AbortController().signal, onProgress = (_: RunProgress) => {}, force = false } = {},
): Promise<Measurement> {
  const options = { params: { ...PARAMS, ...params }, outDir: join(dir, name), force, command: "test", versions: {} };
  return measure(options, { clock: systemClock, signal, version: "0.0.0", onProgress });
}

describe("a measured run", () => {
  let measurement: Measurement;
  beforeAll(async () => {
    measurement = await runInto("plain", {});
  }, RUN_TIMEOUT_MS);

  it("delivers every message to everybody, and tells each figure", () => {
    const { report, failedLinks } = measurement;
    expect(failedLinks).toBe(0);
    expect(report).toMatchObject({
      partial: false,
      nodes: 8,
      messages: 20,
      delivery: { pairs: 140, delivered: 140, undecided: 0, late: 0, ratio: 1 },
      rejected: 0,
      unmadeLinks: 0,
      droppedRpcs: 0,
      lostLines: 0,
      links: null,
    });
    expect(report.hops.histogram.reduce((sum, count) => sum + count, 0)).toBe(140);
    expect(report.mesh?.min).toBeGreaterThan(0);
    expect(report.bytes.rpcPerPayload).toBeGreaterThan(1);
    // Noise, yamux and pings are on top; but a process that a busy machine kept waiting begins to count its sockets late.
    expect(report.bytes.socketOut).toBeGreaterThan(0.8 * report.bytes.rpcOut);
    expect(report.clockErrorMs).toBeLessThan(20);
    expect(report.validationMs?.p50).toBeGreaterThan(0);
  });

  it("writes its files, and makes the same report from them again", async () => {
    const out = join(dir, "plain");
    expect((await readdir(out)).sort()).toEqual(["params.json", "report.html", "report.json", "trace.ndjson"]);
    const params = JSON.parse(await readFile(join(out, "params.json"), "utf8"));
    expect(params).toMatchObject({ configHash: measurement.run.configHash, params: { seed: 1, nodes: 8 } });
    expect(await reportAgain(out)).toEqual(measurement.report);
  });

  it("overwrites no directory that is not empty", async () => {
    await expect(runInto("plain", {})).rejects.toMatchObject({ code: "OUT_EXISTS" });
  });

  it("counts no copy that was not sent", async () => {
    const text = await readFile(join(dir, "plain", "trace.ndjson"), "utf8");
    const copies = { send: 0, recv: 0, deliver: 0, duplicate: 0 };
    for (const line of text.trimEnd().split("\n")) {
      const { e, m } = JSON.parse(line) as { e: keyof typeof copies; m?: number | number[] };
      if (e in copies) copies[e] += Array.isArray(m) ? m.length : m === undefined ? 0 : 1;
    }
    expect(copies.send).toBeGreaterThan(0);
    expect(copies.recv).toBe(copies.send);
    expect(copies.deliver + copies.duplicate).toBe(copies.recv);
  });

  it.runIf(hasGo)(
    "writes TraceEvents that go-libp2p-pubsub's own types read, the same as JSON and as protobuf",
    async () => {
      const out = join(dir, "go");
      await mkdir(out);
      const trace = await readFile(join(dir, "plain", "trace.ndjson"), "utf8");
      // Kinds that a short run has not, and an RPC that holds everything.
      const control = { ihave: [[0, [1, 2]]], iwant: [[3]], graft: [0], prune: [0], idontwant: [[4, 5]] };
      const rare = [
        { t: 1, e: "reject", n: 0, p: 1, m: 2, reason: "reject" },
        { t: 2, e: "drop", n: 0, p: 1, b: 9, m: [6], sub: [0], unsub: [0], ...control },
        { t: 3, e: "leave", n: 0, c: 0 },
        { t: 4, e: "prune", n: 0, p: 1, c: 0 },
        { t: 5, e: "close", n: 0, p: 1 },
      ];
      await writeFile(join(out, "trace.ndjson"), trace + rare.map((event) => `${JSON.stringify(event)}\n`).join(""));
      await convertTrace(join(out, "trace.ndjson"), "pubsub", out);
      const go = spawnSync("go", ["run", ".", join(out, "trace.pubsub.ndjson"), join(out, "trace.pubsub.pb.gz")], {
        cwd: join(import.meta.dirname, "go_trace"),
        encoding: "utf8",
        timeout: GO_TIMEOUT_MS,
      });
      expect(go.stderr).toBe("");
      const kinds = JSON.parse(go.stdout);
      // 25 messages, published and delivered to the publisher itself, too.
      expect(kinds).toMatchObject({ PUBLISH_MESSAGE: 25, DELIVER_MESSAGE: 25 * 8, JOIN: 8 });
      expect(Object.keys(kinds)).toHaveLength(13);
    },
    GO_TIMEOUT_MS,
  );

  it("says where a trace for others cannot be written", async () => {
    const out = join(dir, "occupied");
    await mkdir(join(out, "trace.pubsub.ndjson"), { recursive: true });
    await writeFile(join(out, "interop"), "");
    for (const format of TRACE_FORMATS) {
      const converted = convertTrace(join(dir, "plain", "trace.ndjson"), format, out);
      await expect(converted).rejects.toMatchObject({ code: "OUT_UNWRITABLE" });
    }
  });

  it("writes a file a node as the interoperability suite reads them", async () => {
    await convertTrace(join(dir, "plain", "trace.ndjson"), "interop", join(dir, "plain"));
    const path = join(dir, "plain", "interop");
    expect((await readdir(path)).length).toBe(8);
    const lines = (await readFile(join(path, "node3.ndjson"), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ msg: "PeerID", node_id: 3, id: expect.stringMatching(/^16Uiu2/) });
    const ids = new Set(lines.filter(({ msg }) => msg === "Received Message").map(({ id }) => id));
    expect(ids.size).toBeGreaterThan(15);
    for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });
});

describe("a run under way", () => {
  it(
    "measures the libraries as they come by the same figures",
    async () => {
      const { report, run } = await runInto("stock", { stack: "stock" });
      expect(run.configHash).not.toBe(configHash(PARAMS, []));
      expect(report).toMatchObject({ delivery: { pairs: 140, ratio: 1 }, rejected: 0, droppedRpcs: 0 });
      expect(report.bytes.socketOut).toBeGreaterThan(0.8 * report.bytes.rpcOut);
      expect(report.validationMs?.p50).toBeGreaterThan(0);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    "takes the time of its links",
    async () => {
      const { report } = await runInto("slow", { nodes: 6, latency: "uniform:40ms", bandwidth: "uniform:50mbit" });
      expect(report.delivery.ratio).toBe(1);
      expect(report.latencyMs.fromPublish?.min).toBeGreaterThanOrEqual(39);
      expect(report.links?.chunks).toBeGreaterThan(0);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    "writes the report of what it has when it is interrupted",
    async () => {
      const controller = new AbortController();
      const onProgress = ({ phase }: RunProgress) => {
        if (phase === "measuring") controller.abort();
      };
      const { report } = await runInto("interrupted", { messages: 500 }, { signal: controller.signal, onProgress });
      expect(report.partial).toBe(true);
      expect(report.messages).toBeLessThan(500);
      expect(await readFile(join(dir, "interrupted", "report.html"), "utf8")).toContain("interrupted");
    },
    RUN_TIMEOUT_MS,
  );

  it(
    "has nodes leave and come back",
    async () => {
      const { report } = await runInto("churn", { messages: 100, churn: 0.1, seed: 3 });
      const text = await readFile(join(dir, "churn", "trace.ndjson"), "utf8");
      const changes = (kind: string) => text.split(`"e":"${kind}"`).length - 1;
      expect(changes("down")).toBeGreaterThan(0);
      expect(changes("up")).toBeGreaterThan(8);
      expect(report.delivery.undecided).toBeGreaterThan(0);
      expect(report.delivery.bounds?.low).toBeLessThan(report.delivery.bounds?.high ?? 0);
    },
    RUN_TIMEOUT_MS,
  );
});
