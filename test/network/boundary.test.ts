import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import {
  type BoundaryTopic,
  createBoundary,
  type IncomingMessage,
  MAX_PENDING_BYTES,
  MAX_PENDING_VERDICTS,
  PACE_MS,
  VAIN_CALLS_BURST,
} from "../../src/network/boundary.ts";
import { createCounters } from "../../src/network/counters.ts";
import type { GossipHandler, GossipVerdict } from "../../src/network/network.ts";
import type { Verdict } from "../../src/validation/verdict.ts";
import { ACCEPT, DIGEST, EXIT, EXIT_TOPIC, IGNORE } from "./nodes.ts";

const DEADLINE_MS = 3_500;
const VALID: Verdict = { result: "accept", code: "VALID" };

/** A boundary with its report to gossipsub in `reports`, on a clock that the test moves. */
function setUp(handler: GossipHandler) {
  let nowMs = 0;
  const after = (_: number, task: () => void) => {
    pace = task;
    return () => {};
  };
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after, every: () => () => {} };
  const reports: string[] = [];
  const verdicts: GossipVerdict[] = [];
  const counters = createCounters();
  const topics = new Map<string, BoundaryTopic>([[EXIT_TOPIC, { name: EXIT, forkDigest: DIGEST, handler }]]);
  const refused = new Set<string>();
  const forgotten: string[] = [];
  const crowding: string[] = [];
  const warnings: unknown[] = [];
  let pace: (() => void) | null = null;
  const boundary = createBoundary({
    pubsub: {
      reportMessageValidationResult: (id, _peer, acceptance) => void reports.push(`${id} ${acceptance}`),
    },
    topics,
    verdictDeadlineMs: DEADLINE_MS,
    isRefused: (peerId) => refused.has(peerId),
    onCrowding: (peerId) => void crowding.push(peerId),
    forget: ({ messageId }) => void forgotten.push(messageId),
    clock,
    log: Object.assign(Object.create(silentLogger), { warn: (fields: unknown) => void warnings.push(fields) }),
    counters,
    onVerdict: (verdict) => void verdicts.push(verdict),
  });
  const receive = (messageId: string, fields: Partial<IncomingMessage> = {}) =>
    boundary.receive({ messageId, peerId: "peer", topic: EXIT_TOPIC, wireData: new Uint8Array(10), ...fields });
  const passTime = (ms: number) => {
    nowMs += ms;
  };
  /** Runs what the boundary has scheduled, if anything. */
  const runPace = () => {
    const task = pace;
    pace = null;
    task?.();
    return task !== null;
  };
  return {
    boundary,
    reports,
    verdicts,
    counters,
    topics,
    receive,
    passTime,
    refused,
    forgotten,
    crowding,
    warnings,
    runPace,
  };
}

/** A handler that answers when the test says so. */
function heldHandler() {
  const release: ((verdict: Verdict) => void)[] = [];
  const handler: GossipHandler = () => new Promise((resolve) => void release.push(resolve));
  return { handler, release };
}
/** Lets everything run that waits for a settled promise. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("boundary", () => {
  it("reports a verdict that is given at once, at once", () => {
    const { receive, reports, verdicts } = setUp(ACCEPT);
    receive("a");
    expect(reports).toEqual(["a accept"]);
    expect(verdicts).toEqual([
      { topic: EXIT, forkDigest: DIGEST, peerId: "peer", sizeBytes: 10, verdict: VALID, elapsedMs: 0 },
    ]);
  });

  it("holds a message until its verdict, and tells how long that took", async () => {
    const { handler, release } = heldHandler();
    const { receive, reports, verdicts, passTime } = setUp(handler);
    receive("a");
    receive("b");
    passTime(100);
    release[1]?.({ result: "reject", code: "BAD_COUNT" });
    await settled();
    expect(reports).toEqual(["b reject"]);
    release[0]?.(VALID);
    await settled();
    expect(reports).toEqual(["b reject", "a accept"]);
    expect(verdicts.map(({ elapsedMs }) => elapsedMs)).toEqual([100, 100]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("a bug");
      },
    ],
    ["rejects its promise", () => Promise.reject(new Error("a bug"))],
  ] as [string, GossipHandler][])("ignores a message whose handler %s, and counts it", async (_, handler) => {
    const { receive, reports, counters, verdicts } = setUp(handler);
    receive("a");
    await settled();
    expect(reports).toEqual(["a ignore"]);
    expect(verdicts[0]?.verdict.code).toBe("INTERNAL_ERROR");
    expect(counters.handlerErrors).toBe(1);
  });

  it("ignores what waits past the deadline, once, and drops the verdict that comes later", async () => {
    const { handler, release } = heldHandler();
    const { boundary, receive, reports, counters, verdicts, passTime } = setUp(handler);
    receive("a");
    passTime(DEADLINE_MS);
    boundary.expire();
    expect(reports).toEqual([]);
    passTime(1);
    boundary.expire();
    boundary.expire();
    release[0]?.(VALID);
    await settled();
    expect(reports).toEqual(["a ignore"]);
    expect(verdicts[0]?.verdict.code).toBe("TOO_LATE");
    expect(counters.lateVerdicts).toBe(1);
  });

  it("says in one line how many came too late", () => {
    const { boundary, receive, reports, counters, warnings, passTime } = setUp(heldHandler().handler);
    for (let i = 0; i < 40; i++) receive(`${i}`);
    passTime(DEADLINE_MS + 1);
    boundary.expire();
    expect([reports.length, counters.lateVerdicts]).toEqual([40, 40]);
    expect(warnings).toEqual([{ topics: [EXIT_TOPIC], count: 40, deadlineMs: DEADLINE_MS }]);
  });

  it("never forwards by a verdict that comes late but before the next heartbeat", async () => {
    const { handler, release } = heldHandler();
    const { receive, reports, passTime } = setUp(handler);
    receive("a");
    passTime(DEADLINE_MS + 1);
    release[0]?.(VALID);
    await settled();
    expect(reports).toEqual(["a ignore"]);
  });

  it("ignores what comes while too many wait, and takes more when they are done", async () => {
    const { handler, release } = heldHandler();
    const { receive, reports, counters, verdicts } = setUp(handler);
    for (let i = 0; i < MAX_PENDING_VERDICTS; i++) receive(`${i}`);
    receive("over");
    expect(reports).toEqual(["over ignore"]);
    expect(verdicts[0]?.verdict.code).toBe("QUEUE_FULL");
    expect(counters.queueFull).toBe(1);
    release[0]?.(VALID);
    await settled();
    receive("next");
    expect(reports).toEqual(["over ignore", "0 accept"]);
  });

  it("calls no handler for more than a burst of one peer's messages, and for the rest bit by bit", () => {
    const { receive, verdicts, passTime, runPace } = setUp(IGNORE);
    for (let i = 0; i < 200; i++) receive(`${i}`);
    expect(verdicts.length).toBe(VAIN_CALLS_BURST);
    passTime(1000);
    runPace();
    expect(verdicts.length).toBe(2 * VAIN_CALLS_BURST);
    receive("of another", { peerId: "other" });
    expect(verdicts.at(-1)?.peerId).toBe("other");
    while (verdicts.length < 201) {
      passTime(PACE_MS);
      expect(runPace()).toBe(true);
    }
    expect(verdicts.filter(({ peerId }) => peerId === "peer").length).toBe(200);
  });

  it("judges no more of many peers that flood together than of two", () => {
    const { receive, verdicts, passTime, runPace } = setUp(IGNORE);
    for (let i = 0; i < 80; i++) for (let k = 0; k < 10; k++) receive(`${k} ${i}`, { peerId: `peer ${k}` });
    runPace();
    for (let ms = 0; ms < 500; ms += PACE_MS) {
      passTime(PACE_MS);
      runPace();
    }
    const calls = verdicts.length / 10;
    expect(calls).toBeGreaterThan(VAIN_CALLS_BURST + 20);
    expect(calls).toBeLessThan(VAIN_CALLS_BURST + 26);
  });

  it("never delays what is accepted", () => {
    const { receive, reports } = setUp(ACCEPT);
    for (let i = 0; i < 10 * VAIN_CALLS_BURST; i++) receive(`${i}`);
    expect(reports.length).toBe(10 * VAIN_CALLS_BURST);
  });

  it("takes room from the peer that holds most, and has what was dropped forgotten", () => {
    const { handler, release } = heldHandler();
    const { receive, reports, verdicts, forgotten, crowding } = setUp(handler);
    for (let i = 0; i < MAX_PENDING_VERDICTS; i++) receive(`${i}`);
    receive("honest", { peerId: "other" });
    expect(release.length).toBe(VAIN_CALLS_BURST + 1);
    const last = `${MAX_PENDING_VERDICTS - 1}`;
    expect(reports).toEqual([`${last} ignore`]);
    expect(verdicts[0]).toMatchObject({ peerId: "peer", verdict: { code: "QUEUE_FULL" } });
    expect([forgotten, crowding]).toEqual([[last], ["peer"]]);
  });

  it("judges nothing more of a peer that is hung up, and has it forgotten", () => {
    const { receive, verdicts, forgotten, refused, runPace } = setUp(IGNORE);
    for (let i = 0; i < VAIN_CALLS_BURST + 2; i++) receive(`${i}`);
    refused.add("peer");
    runPace();
    receive("later");
    expect(verdicts.slice(VAIN_CALLS_BURST).map(({ verdict }) => verdict.code)).toEqual([
      "PEER_GONE",
      "PEER_GONE",
      "PEER_GONE",
    ]);
    expect(forgotten).toEqual([`${VAIN_CALLS_BURST}`, `${VAIN_CALLS_BURST + 1}`, "later"]);
  });

  it("knows whose messages wait, and tells of those that it is not to have", () => {
    const { boundary, receive, reports, verdicts, counters, crowding, passTime, runPace } = setUp(IGNORE);
    for (let i = 0; i < VAIN_CALLS_BURST; i++) receive(`${i}`);
    expect(boundary.isWaiting("peer")).toBe(false);
    receive("waits");
    expect([boundary.isWaiting("peer"), boundary.isWaiting("other")]).toEqual([true, false]);
    boundary.refuse({ peerId: "peer", topic: EXIT_TOPIC, wireData: new Uint8Array(10) });
    expect(verdicts.at(-1)).toMatchObject({ peerId: "peer", sizeBytes: 10, verdict: { code: "QUEUE_FULL" } });
    expect([reports.length, counters.queueFull, crowding]).toEqual([VAIN_CALLS_BURST, 1, ["peer"]]);
    passTime(1000);
    runPace();
    expect(boundary.isWaiting("peer")).toBe(false);
  });

  it("bounds the bytes that wait, too", () => {
    const { receive, reports } = setUp(heldHandler().handler);
    receive("large", { wireData: new Uint8Array(MAX_PENDING_BYTES - 5) });
    receive("small");
    expect(reports).toEqual(["small ignore"]);
  });

  it("ignores a message on a topic that was left meanwhile", () => {
    const { receive, reports, topics, verdicts } = setUp(ACCEPT);
    topics.clear();
    receive("a");
    expect(reports).toEqual(["a ignore"]);
    expect(verdicts).toEqual([]);
  });
});
