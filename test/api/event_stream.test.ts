import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventStreams, isEventTopic } from "../../src/api/event_stream.ts";
import { createMetrics } from "../../src/api/metrics.ts";
import { type ApiServer, startApiServer } from "../../src/api/server.ts";
import { MAX_EVENT_STREAMS, MAX_UNREAD_BYTES } from "../../src/api/server_sent_events.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { BLOCK_ROOT, STATE_ROOT, TestBackend, triggeredExit } from "./backend.ts";

let backend: TestBackend;
let server: ApiServer;

beforeEach(async () => {
  backend = new TestBackend();
  const deps = { backend, metrics: createMetrics(), logger: silentLogger, clock: systemClock };
  server = await startApiServer({ port: 0, version: "msgbus/test" }, deps);
});

afterEach(() => server.stop());

/** Opens a stream; its first chunk, a comment, has been read. */
async function open(topics: string): Promise<IncomingMessage> {
  const [response] = (await once(get(`${server.url}/eth/v1/events?topics=${topics}`), "response")) as [IncomingMessage];
  response.setEncoding("utf8");
  if (response.statusCode === 200) await once(response, "data");
  return response;
}

const block = { topic: "block", slot: 7, block: BLOCK_ROOT, executionOptimistic: false } as const;
const checkpoint = {
  topic: "finalized_checkpoint",
  block: BLOCK_ROOT,
  state: STATE_ROOT,
  epoch: 3,
  executionOptimistic: false,
} as const;

test("events: a stream brings the topics that it asked for, in the Beacon API's form", async () => {
  const stream = await open("triggered_exit,finalized_checkpoint");
  backend.emit(block);
  backend.emit({ topic: "triggered_exit", triggeredExit: triggeredExit(1) });
  const [first] = await once(stream, "data");
  expect(first).toBe(`event: triggered_exit\ndata: ${JSON.stringify(TriggeredExit.toJson(triggeredExit(1)))}\n\n`);
  backend.emit(checkpoint);
  const [second] = await once(stream, "data");
  expect(second).toBe(
    `event: finalized_checkpoint\ndata: ${JSON.stringify({
      block: `0x${"b1".repeat(32)}`,
      state: `0x${"57".repeat(32)}`,
      epoch: "3",
      execution_optimistic: false,
    })}\n\n`,
  );
  stream.destroy();
});

test("events: head carries the duty roots", async () => {
  const stream = await open("head&topics=block");
  expect(stream.headers["content-type"]).toBe("text/event-stream");
  backend.emit({
    topic: "head",
    slot: 8,
    block: BLOCK_ROOT,
    state: STATE_ROOT,
    epochTransition: true,
    previousDutyDependentRoot: BLOCK_ROOT,
    currentDutyDependentRoot: STATE_ROOT,
    executionOptimistic: true,
  });
  const [head] = await once(stream, "data");
  expect(JSON.parse(head.split("data: ")[1])).toEqual({
    slot: "8",
    block: `0x${"b1".repeat(32)}`,
    state: `0x${"57".repeat(32)}`,
    epoch_transition: true,
    previous_duty_dependent_root: `0x${"b1".repeat(32)}`,
    current_duty_dependent_root: `0x${"57".repeat(32)}`,
    execution_optimistic: true,
  });
  stream.destroy();
});

test("events: a verdict tells who brought what, and what became of it", async () => {
  const stream = await open("verdict");
  const { source, peerId, ...judged } = {
    source: "gossip",
    peerId: "16Uiu2",
    result: "ignore",
    code: "UNKNOWN_ROOT",
  } as const;
  backend.emit({ topic: "verdict", source, peerId, pubkey: "0xab", messageIndex: "7", ...judged, elapsedMs: 0.25 });
  const [verdict] = await once(stream, "data");
  expect(JSON.parse(verdict.split("data: ")[1])).toEqual({
    source,
    peer_id: peerId,
    pubkey: "0xab",
    message_index: "7",
    ...judged,
    elapsed_ms: 0.25,
  });
  stream.destroy();
});

test.each(["", "?topics=", "?topics=voluntary_exit", "?topics=head,tail"])(
  "events: 400 for the topics of %s",
  async (query) => {
    const response = await fetch(`${server.url}/eth/v1/events${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 400,
      message: expect.stringContaining("finalized_checkpoint"),
    });
  },
);

test("events: one stream more than the limit is told to come later, and may when another has left", async () => {
  const streams = await Promise.all(Array.from({ length: MAX_EVENT_STREAMS }, () => open("block")));
  expect((await open("block")).statusCode).toBe(503);
  streams[0]?.destroy();
  const deadlineMs = systemClock.monotonicMs() + 5_000;
  let admitted = await open("block");
  while (admitted.statusCode === 503 && systemClock.monotonicMs() < deadlineMs) admitted = await open("block");
  expect(admitted.statusCode).toBe(200);
  for (const stream of [...streams, admitted]) stream.destroy();
});

test("events: a reader that does not read is cut off, the others are served on", async () => {
  const streams = new EventStreams(systemClock);
  const http: Server = createServer((request, response) => {
    streams.open(response, new Set([request.url?.slice(1) ?? ""].filter(isEventTopic)));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const [deaf] = (await once(get(`${url}/triggered_exit`), "response")) as [IncomingMessage];
  const [alive] = (await once(get(`${url}/block`), "response")) as [IncomingMessage];
  deaf.pause();
  const cut = once(deaf, "error");
  const event = { topic: "triggered_exit", triggeredExit: triggeredExit(1) } as const;
  const eventBytes = JSON.stringify(TriggeredExit.toJson(event.triggeredExit)).length;
  for (let sent = 0; sent < 2 * MAX_UNREAD_BYTES; sent += eventBytes) streams.send(event);
  await once(alive, "data");
  streams.send(block);
  expect(String((await once(alive, "data"))[0])).toContain('"slot":"7"');
  deaf.resume();
  expect((await cut)[0]).toMatchObject({ code: "ECONNRESET" });
  streams.close();
  http.close();
});
