import { describe, expect, test } from "vitest";
import type { PageEvent } from "../../../src/lab/devnet/page/feed.ts";
import type { FeedEvent, TimedEvent } from "../../../src/page/live/events.ts";
import { BINS, MAX_MESSAGES, MAX_VERDICTS, Model } from "../../../src/page/live/model.ts";
import { momentOf, wayOf } from "../../../src/page/live/way.ts";

/** Holds the devnet's events to the form that the page reads: what does not fit does not compile. */
const told = (event: Extract<PageEvent, { event: FeedEvent["event"] }>, time: number): TimedEvent => ({
  ...(event satisfies FeedEvent),
  time,
});

const PUBKEY = `0x${"ab".repeat(48)}`;

function verdict(node: string, time: number, fields: Partial<Extract<PageEvent, { event: "verdict" }>> = {}) {
  return told(
    {
      event: "verdict",
      topic: "triggered_exit",
      node,
      source: "gossip",
      peerId: null,
      pubkey: PUBKEY,
      messageIndex: "4",
      result: "accept",
      code: "VALID",
      elapsedMs: 0.2,
      ...fields,
    },
    time,
  );
}

const ready = (node: string) =>
  told({ event: "node_ready", node, peerId: `peer of ${node}`, multiaddrs: [], apiUrl: null, pageUrl: null }, 1);

const network = told(
  {
    event: "network",
    dir: "",
    elUrl: "",
    contract: "0x",
    genesisTime: 0,
    nodes: 3,
    validators: 64,
    secondsPerSlot: 1,
    slotsPerEpoch: 8,
    forkEpoch: 0,
    seed: 1,
    pageUrl: null,
  },
  0,
);

function modelOf(...events: readonly TimedEvent[]): Model {
  const model = new Model();
  for (const event of events) model.apply(event);
  return model;
}

const block = (node: string, slot: number, blockRoot: string) =>
  told({ event: "block", node, slot, blockRoot, optimistic: false }, slot);

describe("page model", () => {
  test("counts the nodes whose head is the highest block, and no branch beside it", () => {
    const model = modelOf(block("a", 7, "0x7"), block("b", 8, "0x8"), block("c", 8, "0x8"), block("d", 8, "0xother"));
    expect(model.head).toEqual({ slot: 8, root: "0x8", nodes: 2 });
    model.apply(block("b", 6, "0x6"));
    expect(model.head).toMatchObject({ slot: 8, nodes: 2 });
    model.apply(told({ event: "node_exited", node: "c", reason: "SIGTERM", restarting: false }, 9));
    expect(model.head).toMatchObject({ slot: 8, nodes: 1 });
  });

  test("takes a lower head from a node that was away", () => {
    const model = modelOf(block("a", 8, "0x8"));
    model.forgetHead("a");
    expect(model.head).toBeNull();
    model.apply(block("a", 3, "0x3"));
    expect(model.head).toEqual({ slot: 3, root: "0x3", nodes: 1 });
  });

  test("follows an exit from its request to finality", () => {
    const model = modelOf(network, told({ event: "exit_requested", validatorIndex: 9, pubkey: PUBKEY }, 100));
    const formed = { transactionHash: "0x", sender: "0x", blockNumber: 3 };
    model.apply(told({ event: "operation_formed", node: "a", pubkey: PUBKEY, messageIndex: "4", ...formed }, 110));
    const sent = { kind: "exit", validatorIndex: 9, pubkey: PUBKEY, messageIndex: "4", ...formed } as const;
    model.apply(told({ event: "message_sent", ...sent }, 115));
    model.apply(verdict("a", 111, { source: "execution" }));
    model.apply(told({ event: "included", node: "a", slot: 8, blockRoot: "0x8", pubkeys: [PUBKEY] }, 200));
    model.apply(told({ event: "exit_initiated", node: "a", validatorIndex: 9, pubkey: PUBKEY, exitEpoch: 6 }, 201));
    expect(model.messageOf(PUBKEY)).toMatchObject({
      validatorIndex: 9,
      kind: "exit",
      firstTimeMs: 110,
      transaction: { block: 3, timeMs: 115 },
      included: { slot: 8, timeMs: 200 },
      exit: { epoch: 6 },
      finalMs: null,
    });
    model.apply(told({ event: "finalized", node: "a", epoch: 0, blockRoot: "0x" }, 300));
    expect(model.messageOf(PUBKEY)?.finalMs).toBeNull();
    model.apply(told({ event: "finalized", node: "b", epoch: 1, blockRoot: "0x" }, 310));
    expect(model.messageOf(PUBKEY)?.finalMs).toBe(310);
    expect(model.finalizedEpoch).toBe(1);
  });

  test("keeps why an exit could not be sent", () => {
    const asked = { validatorIndex: 9, pubkey: PUBKEY };
    const model = modelOf(told({ event: "exit_requested", ...asked }, 100));
    model.apply(told({ event: "exit_failed", ...asked, code: "EL_UNAVAILABLE", message: "it is away" }, 101));
    expect(model.requests.get(PUBKEY)?.failure).toEqual({ code: "EL_UNAVAILABLE", message: "it is away" });
  });

  test("takes delays from the first ACCEPT, in whatever order the events came", () => {
    const model = modelOf(
      verdict("b", 105),
      verdict("a", 100, { source: "execution" }),
      verdict("c", 130),
      verdict("d", 140, { result: "ignore", code: "ALREADY_SEEN" }),
    );
    expect(model.delays().sort((a, b) => a - b)).toEqual([5, 30]);
  });

  test("counts verdicts by code and result", () => {
    const model = modelOf(
      verdict("a", 1),
      verdict("b", 2),
      verdict("c", 3, { result: "ignore", code: "UNKNOWN_ROOT" }),
    );
    expect([...model.codes.values()].map(({ code, result, total }) => [code, result, total])).toEqual([
      ["VALID", "accept", 2],
      ["UNKNOWN_ROOT", "ignore", 1],
    ]);
    expect(model.verdictCount).toBe(3);
  });

  test("stays within its bounds, however much it is told", () => {
    const model = new Model();
    for (let k = 0; k < 3_000; k++) model.apply(verdict("a", k * 10_000, { messageIndex: String(k) }));
    expect(model.messages.size).toBe(MAX_MESSAGES);
    expect(model.verdicts).toHaveLength(MAX_VERDICTS);
    expect([...model.codes.values()].every(({ bins }) => bins.size <= 2 * BINS)).toBe(true);
    for (let k = 0; k < 3_000; k++) model.apply(block(`node ${k}`, 1, "0x"));
    expect(model.nodes.size).toBe(2_000);
    expect(model.verdictCount).toBe(3_000);
  });

  test("forgets everything with a feed that begins anew", () => {
    const model = modelOf(network, ready("a"), verdict("a", 1));
    model.reset();
    expect([model.nodes.size, model.messages.size, model.verdicts.length, model.codes.size]).toEqual([0, 0, 0, 0]);
  });

  test("a node's page: peers that have gone leave the graph", () => {
    const model = new Model();
    model.addNode("this node", "self");
    const peer = (name: string) => ({ name, detail: "", mesh: true });
    model.setPeers("this node", [peer("a"), peer("b")]);
    model.setPeers("this node", [peer("b")]);
    expect([...model.nodes.keys()]).toEqual(["this node", "b"]);
    expect(model.links).toEqual([{ source: "this node", target: "b", mesh: true }]);
  });
});

describe("a message's way", () => {
  const model = modelOf(
    ready("a"),
    ready("b"),
    verdict("a", 100, { source: "execution" }),
    verdict("b", 102, { peerId: "peer of a", result: "ignore", code: "UNKNOWN_ROOT" }),
    verdict("c", 104, { peerId: "peer of b" }),
    verdict("b", 160, { peerId: "peer of a" }),
    verdict("a", 170, { result: "ignore", code: "ALREADY_SEEN" }),
  );
  const [message] = model.messages.values();
  const way = message === undefined ? null : wayOf(message);

  test("has each node's first verdict, and the ACCEPT of what was parked", () => {
    expect(way?.steps.map(({ node, atMs, code }) => [node, atMs, code])).toEqual([
      ["a", 0, "VALID"],
      ["b", 2, "UNKNOWN_ROOT"],
      ["c", 4, "VALID"],
      ["b", 60, "VALID"],
    ]);
    expect(way?.durationMs).toBe(60);
  });

  test("names senders, and tells what stands at a moment", () => {
    expect(way?.links).toEqual([
      { source: "a", target: "b", atMs: 2 },
      { source: "b", target: "c", atMs: 4 },
    ]);
    const results = (atMs: number) =>
      Object.entries(way === null ? {} : momentOf(way, atMs).reached).map(([node, { result }]) => [node, result]);
    expect(results(0)).toEqual([["a", "formed"]]);
    expect(results(10)).toEqual([
      ["a", "formed"],
      ["b", "ignore"],
      ["c", "accept"],
    ]);
    expect(results(60)).toContainEqual(["b", "accept"]);
  });

  test("is none before a verdict", () => {
    const formed = { transactionHash: "0x", sender: "0x", blockNumber: 3 };
    const only = modelOf(
      told({ event: "operation_formed", node: "a", pubkey: PUBKEY, messageIndex: "4", ...formed }, 110),
    );
    expect([...only.messages.values()].map(wayOf)).toEqual([null]);
  });
});
