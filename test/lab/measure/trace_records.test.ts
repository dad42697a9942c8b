import { mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Names } from "../../../src/lab/measure/names.ts";
import { TRACE_VERSION, type TraceHeader } from "../../../src/lab/measure/trace.ts";
import { mergeTraces } from "../../../src/lab/measure/trace_file.ts";
import { RecordBuilder, recordLines, type TraceRecord } from "../../../src/lab/measure/trace_records.ts";
import { RecordWriter } from "../../../src/lab/measure/trace_writer.ts";

const TOPICS = ["first", "second"];
const MESSAGES = Array.from({ length: 20 }, (_, index) => ({
  id: Buffer.alloc(20, index + 1).toString("hex"),
  wireData: new Uint8Array(30).fill(index + 101),
}));
const HEADER: TraceHeader = {
  e: "run",
  version: TRACE_VERSION,
  epochMs: 0,
  topics: TOPICS,
  nodes: [],
  messages: [],
  payloadBytes: [],
  firstCounted: 0,
};
const names = new Names({ topics: TOPICS, peers: [], messages: MESSAGES }, () => {});
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const idOf = (index: number) => new Uint8Array(Buffer.from(MESSAGES[index]?.id ?? "", "hex"));
const indices = fc.array(fc.nat(MESSAGES.length - 1), { maxLength: 40 });
/** -1: a topic that is not traced. */
const topic = fc.integer({ min: -1, max: 1 });
const topicName = (index: number) => TOPICS[index] ?? "unknown";
const some = <T>(entry: fc.Arbitrary<T>) => fc.array(entry, { maxLength: 4 });
const fields = fc.record({
  m: indices,
  subscriptions: some(fc.record({ topic, subscribe: fc.boolean() })),
  control: fc.option(
    fc.record({
      ihave: some(fc.tuple(topic, indices)),
      iwant: some(indices),
      graft: some(topic),
      prune: some(topic),
      idontwant: some(indices),
    }),
  ),
});
type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;

function rpcOf({ m, subscriptions, control }: Fields): RPC {
  const ids = (list: readonly number[]) => ({ messageIDs: list.map(idOf) });
  const topics = (list: readonly number[]) => list.map((index) => ({ topicID: topicName(index) }));
  const rpc = {
    messages: m.map((index) => ({ topic: "first", data: MESSAGES[index]?.wireData })),
    subscriptions: subscriptions.map((entry) => ({ subscribe: entry.subscribe, topic: topicName(entry.topic) })),
    control:
      control === null
        ? undefined
        : {
            ihave: control.ihave.map(([index, list]) => ({ topicID: topicName(index), ...ids(list) })),
            iwant: control.iwant.map(ids),
            graft: topics(control.graft),
            prune: topics(control.prune),
            idontwant: control.idontwant.map(ids),
          },
  };
  return rpc as unknown as RPC;
}

/** As docs/measuring.md has it: absent where empty. */
function expectedOf({ m, subscriptions, control }: Fields): Record<string, unknown> {
  const traced = subscriptions.filter((entry) => entry.topic >= 0);
  const lists = {
    m,
    sub: traced.filter(({ subscribe }) => subscribe).map((entry) => entry.topic),
    unsub: traced.filter(({ subscribe }) => !subscribe).map((entry) => entry.topic),
    ...control,
  };
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

it("records: an RPC's line says all that it holds, whatever it holds, and each peer has one", () => {
  const builder = new RecordBuilder(names);
  const us = fc.integer({ min: 0, max: 2 ** 48 });
  fc.assert(
    fc.property(fields, us, fc.nat(), (rpc, t, b) => {
      const record = builder.rpc("send", 3, b, rpcOf(rpc)).peer(4).peer(5).end(t);
      const lines = recordLines(record.words, 0).map((line) => JSON.parse(line));
      expect(lines).toEqual([4, 5].map((p) => ({ t, e: "send", n: 3, p, b, ...expectedOf(rpc) })));
    }),
  );
});

it("records: messages and lines of text come out as they went in", () => {
  const builder = new RecordBuilder(names);
  const line = ({ words }: TraceRecord) => JSON.parse(recordLines(words, 0).join());
  expect(line(builder.deliver(1, 2, 3, 4).end(5))).toEqual({ t: 5, e: "deliver", n: 1, p: 2, m: 3, v: 4 });
  expect(line(builder.duplicate(1, 2, 3).end(5))).toEqual({ t: 5, e: "duplicate", n: 1, p: 2, m: 3 });
  expect(line(builder.text('"e":"join","n":1,"c":0').end(5))).toEqual({ t: 5, e: "join", n: 1, c: 0 });
  const scores = Array.from({ length: 100_000 }, (_, index) => index);
  expect(line(builder.text(`"e":"sample","scores":[${scores}]`).end(5)).scores).toEqual(scores);
});

/** Writes a part, and merges it with one event of our own. */
async function mergeParts(parts: readonly number[][], cutBytes = 0): Promise<number[]> {
  const paths: string[] = [];
  for (const [index, times] of parts.entries()) {
    const path = join(dir, `part.${index}`);
    paths.push(path);
    const writer = new RecordWriter(path);
    const builder = new RecordBuilder(names);
    for (const t of times) writer.take(builder.duplicate(index, 1, 2).end(t));
    await writer.close();
    expect(writer.lost).toBe(0);
    if (cutBytes > 0) await truncate(path, (await readFile(path)).length - cutBytes);
  }
  const merged = join(dir, "trace.ndjson");
  await mergeTraces(HEADER, paths, [{ t: 7, e: "start" }], merged);
  const [first, ...lines] = (await readFile(merged, "utf8")).trimEnd().split("\n");
  expect(JSON.parse(first as string)).toEqual(HEADER);
  return lines.map((line) => JSON.parse(line).t);
}

it("parts: merge in order of time, over many chunks of reading and writing", async () => {
  const even = Array.from({ length: 60_000 }, (_, index) => 2 * index);
  const odd = even.map((t) => t + 1);
  expect(await mergeParts([even, odd, []])).toEqual([...even, ...odd, 7].sort((a, b) => a - b));
});

it("parts: one that is cut off is read up to there", async () => {
  expect(await mergeParts([[1, 2, 3]], 5)).toEqual([1, 2, 7]);
});

it("parts: a record that is longer than a chunk is written whole", async () => {
  const path = join(dir, "long");
  const writer = new RecordWriter(path);
  const builder = new RecordBuilder(names);
  const text = `"e":"join","n":1,"pad":"${"x".repeat(200_000)}"`;
  for (const t of [1, 2]) writer.take(builder.text(text).end(t));
  await writer.close();
  const merged = join(dir, "trace.ndjson");
  await mergeTraces(HEADER, [path], [], merged);
  const [, ...lines] = (await readFile(merged, "utf8")).trimEnd().split("\n");
  expect(lines).toEqual([1, 2].map((t) => `{"t":${t},${text}}`));
});

it("parts: says at the end where the file could not be written", async () => {
  const writer = new RecordWriter(join(dir, "absent", "part"));
  writer.take(new RecordBuilder(names).duplicate(1, 2, 3).end(4));
  await expect(writer.close()).rejects.toMatchObject({ code: "ENOENT" });
});
