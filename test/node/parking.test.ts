/** Exits whose root comes later: held, released, late, expired. */
import { describe, expect, test } from "vitest";
import { VERDICT_DEADLINE_MS } from "../../src/network/gossip.ts";
import type { PeerFault } from "../../src/network/network.ts";
import { HELD_LIMIT, HELD_PER_PEER_LIMIT, HOLD_MS } from "../../src/node_parking.ts";
import { PARKED_LIFETIME_SLOTS } from "../../src/validation/parked.ts";
import type { TriggeredExitVerdict } from "../../src/validation/verdict.ts";
import { ManualClock } from "../chain/manual_clock.ts";
import { EXITING_VALIDATOR, ExitScenario, toWireData } from "../state/exit_scenario.ts";
import { createScenarioExits, SLOT_MS } from "./scenario_exits.ts";

const UNKNOWN = { result: "ignore", code: "UNKNOWN_ROOT" };
const VALID = { result: "accept", code: "VALID" };

/** A node one block behind: its head lacks the root that the exit is proven against. */
function setUp() {
  const scenario = new ExitScenario();
  const sent = scenario.send(EXITING_VALIDATOR);
  const clock = new ManualClock(1_000_000);
  const published: { ssz: Uint8Array; isLate: boolean }[] = [];
  const penalties: [peerId: string, fault: PeerFault, count: number][] = [];
  const codes: string[] = [];
  const node = { isSynced: true };
  const { exits, pool, onHead } = createScenarioExits(scenario, {
    async publish(ssz, isLate) {
      published.push({ ssz, isLate });
      return { topic: "", recipients: 1, duplicate: false };
    },
    isSynced: () => node.isSynced,
    penalize: (...penalty) => penalties.push(penalty),
    onEvent: (event) => void (event.event === "verdict" && codes.push(event.code)),
    clock,
  });
  return {
    ...{ scenario, clock, exits, pool, published, penalties, codes, node },
    exit: scenario.operation(sent),
    root: scenario.tree.rootAt(scenario.tree.count),
    receive: (wireData: Uint8Array, peerId = "peer") =>
      settleable(exits.onGossip(wireData, { peerId, receivedMs: clock.nowMs() })),
    /** The block with the root becomes the head. */
    importBlock() {
      scenario.storeRoot();
      onHead();
    },
  };
}

/** A verdict that can be looked at before it is there. */
function settleable(verdict: TriggeredExitVerdict | Promise<TriggeredExitVerdict>) {
  const state: { verdict: TriggeredExitVerdict | null; settled: Promise<unknown> } = {
    verdict: null,
    settled: Promise.resolve(verdict).then((settled) => {
      state.verdict = settled;
    }),
  };
  return state;
}

/** Any exit with a proof that leads nowhere, different for each `n`. */
function forge({ scenario, exit }: ReturnType<typeof setUp>, n: number): Uint8Array {
  const [first = new Uint8Array(32), ...rest] = exit.messageBusSignal.proof;
  const sibling = first.slice();
  new DataView(sibling.buffer).setUint32(0, n + 1);
  const pubkey = scenario.pubkey(EXITING_VALIDATOR);
  return toWireData({ messageBusSignal: { ...exit.messageBusSignal, proof: [sibling, ...rest] }, data: { pubkey } });
}

describe("parking", () => {
  test("parking: the verdict on an exit that is a block ahead comes with the block, and gossip forwards it", async () => {
    const node = setUp();
    const answer = node.receive(toWireData(node.exit));
    node.clock.advance(HOLD_MS - 1);
    await Promise.resolve();
    expect(answer.verdict).toBe(null);
    node.importBlock();
    await answer.settled;
    expect(answer.verdict).toEqual(VALID);
    expect(node.pool.size).toBe(1);
    expect([node.published.length, node.exits.parkedCount]).toEqual([0, 0]);
    expect(node.codes).toEqual(["UNKNOWN_ROOT", "VALID"]);
  });

  test("parking: without the block the verdict is IGNORE before gossipsub forgets the message", async () => {
    const node = setUp();
    const answer = node.receive(toWireData(node.exit));
    expect(HOLD_MS).toBeLessThan(VERDICT_DEADLINE_MS);
    node.clock.advance(HOLD_MS);
    await answer.settled;
    expect(answer.verdict).toEqual(UNKNOWN);
    expect(node.exits.parkedCount).toBe(1);
    expect(node.clock.pendingTimers).toBe(0);
  });

  test("parking: an exit that is released late is pooled and published by this node", async () => {
    const node = setUp();
    const answer = node.receive(toWireData(node.exit));
    node.clock.advance(HOLD_MS);
    await answer.settled;
    node.importBlock();
    expect(node.pool.size).toBe(1);
    expect(node.published.map(({ isLate }) => isLate)).toEqual([true]);
  });

  test("parking: a message that has waited for its turn is held for the rest of its time only", async () => {
    const node = setUp();
    const receivedMs = node.clock.nowMs() - HOLD_MS;
    const verdict = node.exits.onGossip(toWireData(node.exit), { peerId: "peer", receivedMs });
    expect(verdict).toEqual(UNKNOWN);
    expect(node.exits.parkedCount).toBe(1);
  });

  test("parking: a released exit is judged by every rule, and of two proofs one is valid", async () => {
    const node = setUp();
    node.receive(toWireData(node.exit));
    const other = node.scenario.send(EXITING_VALIDATOR);
    const second = node.receive(toWireData(node.scenario.operation(other)), "another peer");
    // The next block has the older root, the one after it the newer.
    node.scenario.storeRoot(node.scenario.head, 1, node.scenario.tree.count - 1);
    node.importBlock();
    await second.settled;
    expect(node.codes).toEqual(["UNKNOWN_ROOT", "UNKNOWN_ROOT", "VALID", "ALREADY_SEEN"]);
    expect(second.verdict?.code).toBe("ALREADY_SEEN");
  });

  test("parking: who brings what no block ever proves pays for each, once, and only while the node is synced", async () => {
    const node = setUp();
    for (let n = 0; n < 3; n++) node.receive(forge(node, n), n < 2 ? "forger" : "another forger");
    const expired = () => node.penalties.filter(([, fault]) => fault === "parkedExpired");
    node.clock.advance(PARKED_LIFETIME_SLOTS * SLOT_MS - 1);
    node.exits.sweep();
    expect(expired()).toEqual([]);
    node.clock.advance(1);
    node.exits.sweep();
    node.exits.sweep();
    expect(expired()).toEqual([
      ["forger", "parkedExpired", 2],
      ["another forger", "parkedExpired", 1],
    ]);
    expect(node.exits.parkedCount).toBe(0);

    node.receive(forge(node, 3));
    node.node.isSynced = false;
    node.clock.advance(PARKED_LIFETIME_SLOTS * SLOT_MS);
    node.exits.sweep();
    expect(expired()).toHaveLength(2);
  });

  test("parking: a root that nobody has seen counts against its bringer once, and against nobody who is a block behind", () => {
    const node = setUp();
    node.receive(toWireData(node.exit), "first");
    node.receive(forge(node, 0), "forger");
    node.receive(toWireData(node.exit), "second");
    expect(node.penalties).toEqual([
      ["first", "unknownRoots", 1],
      ["forger", "unknownRoots", 1],
    ]);
    node.node.isSynced = false;
    node.receive(forge(node, 1), "forger");
    expect(node.penalties).toHaveLength(2);
  });

  test("parking: an exit that another branch proves costs nobody anything", () => {
    const node = setUp();
    node.exits.onBlockRoot(node.root);
    node.receive(toWireData(node.exit));
    node.clock.advance(PARKED_LIFETIME_SLOTS * SLOT_MS);
    node.exits.sweep();
    expect(node.penalties).toEqual([]);
  });

  test("parking: verdicts held are bounded for each peer and in all, and the others are answered at once", async () => {
    const node = setUp();
    const answers = [];
    for (let n = 0; n < HELD_LIMIT + 40; n++) answers.push(node.receive(forge(node, n), `peer ${n % 2}`));
    for (let n = 0; n < HELD_LIMIT; n++) answers.push(node.receive(forge(node, 1000 + n), `peer ${2 + (n % 4)}`));
    await Promise.resolve();
    const held = answers.filter(({ verdict }) => verdict === null).length;
    expect(held).toBe(HELD_LIMIT);
    expect(answers.slice(0, HELD_LIMIT).filter(({ verdict }) => verdict === null).length).toBe(2 * HELD_PER_PEER_LIMIT);
    node.exits.stop();
    await Promise.all(answers.map(({ settled }) => settled));
    expect(node.clock.pendingTimers).toBe(0);
  });

  test("parking: an exit that a user submits too early is deferred, and published with its block", async () => {
    const node = setUp();
    expect(await node.exits.submit(node.exit)).toEqual({ status: "deferred" });
    expect(await node.exits.submit(node.exit)).toEqual({ status: "deferred" });
    node.importBlock();
    expect(node.published.map(({ isLate }) => isLate)).toEqual([false]);
    expect(node.pool.localStatus(EXITING_VALIDATOR)?.state).toBe("pending");
  });

  test("parking: an exit that is formed on a block nobody has verified yet is published once it is", () => {
    const node = setUp();
    const { messageIndex: index, messageSender: sender } = node.exit.messageBusSignal;
    const origin = { index, messageType: 1n, sender, transactionHash: new Uint8Array(32), blockNumber: 1 };
    node.exits.onFormed(node.exit, origin);
    expect(node.published).toHaveLength(0);
    node.importBlock();
    expect(node.published.map(({ isLate }) => isLate)).toEqual([false]);
  });
});
