import { afterEach, describe, expect, it } from "vitest";
import type { FinalizedEvent, HeadEvent } from "../../src/chain/events.ts";
import { isMessageBusState } from "../../src/state/beacon_state.ts";
import { collect, KEYS, TestNetwork, type TestNode, withdrawalAddress } from "./network.ts";

let network: TestNetwork;

afterEach(() => network.stop());

function heads(): string[] {
  return network.nodes.map(({ chain }) => chain.head.root);
}

function collectHeads(node: TestNode): HeadEvent[] {
  const events: HeadEvent[] = [];
  node.chain.events.on("head", (event) => events.push(event));
  return events;
}

describe("chain", () => {
  it("finalizes over four nodes, with a block in every slot and no message refused", async () => {
    network = TestNetwork.withNodes(4);
    const [node] = network.nodes as [TestNode];
    const finalized: FinalizedEvent[] = [];
    node.chain.events.on("finalized", (event) => finalized.push(event));
    await network.run(41);
    expect(new Set(heads()).size).toBe(1);
    expect(node.chain.head.slot).toBe(40);
    expect((await node.chain.getBlock("justified"))?.block.slot).toBe(32);
    expect(node.chain.finalized.epoch).toBe(3);
    expect(finalized.map(({ epoch }) => epoch)).toEqual([2, 3]);
    expect(finalized.flatMap(({ blocks }) => blocks.map(({ slot }) => slot))).toEqual(range(1, 25));
    expect(new Set(network.gossip.map(({ code }) => code))).toEqual(new Set(["VALID"]));
    expect(node.chain.isSynced()).toBe(true);
    expect(Buffer.from(node.engine.headHash as Uint8Array).equals(node.chain.head.payload.blockHash)).toBe(true);
  });

  it("serves the genesis, finalized and unfinalized blocks, and states where it keeps them", async () => {
    network = TestNetwork.withNodes(2);
    const [{ chain }] = network.nodes as [TestNode];
    await network.run(34);
    const genesis = await chain.getBlock("genesis");
    const old = await chain.getBlock(3);
    const recent = await chain.getBlock(33);
    expect(genesis).toMatchObject({ finalized: true, canonical: true, block: { slot: 0 } });
    expect(old).toMatchObject({ finalized: true, block: { slot: 3 } });
    expect(recent).toMatchObject({ finalized: false, canonical: true, optimistic: false, block: { slot: 33 } });
    expect((await chain.getBlock(old?.block.root ?? ""))?.block.slot).toBe(3);
    expect(await chain.getBlock(99)).toBe(null);
    expect(chain.getState("head")?.slot).toBe(33);
    expect(chain.getState("finalized")?.slot).toBe(16);
    expect(chain.getState("justified")?.slot).toBe(24);
    expect(chain.getState("genesis")?.slot).toBe(0);
    expect(chain.getState(3)).toBe(null);
    const stateRoot = `0x${Buffer.from(recent?.block.header.message.stateRoot ?? []).toString("hex")}`;
    expect(chain.getState(stateRoot)?.slot).toBe(33);
    const served = await collect(chain.blocksByRange(10, 100));
    expect(served.length).toBe(24);
  });

  it("goes on over missed slots, and finalizes again when the proposers are back", async () => {
    network = TestNetwork.withNodes(4);
    await network.run(4);
    const [first, , , gone] = network.nodes as [TestNode, TestNode, TestNode, TestNode];
    gone.online = false;
    await network.run(20);
    const { slot } = first.chain.head;
    expect(slot).toBeGreaterThan(18);
    gone.online = true;
    await network.run(28);
    expect(new Set(heads()).size).toBe(1);
    expect(first.chain.finalized.epoch).toBeGreaterThanOrEqual(3);
  });

  it("survives many empty epochs", async () => {
    network = TestNetwork.withNodes(2);
    await network.run(5);
    for (const { engine } of network.nodes) engine.away = true;
    await network.run(8 * 4);
    expect(network.nodes[0]?.chain.head.slot).toBe(4);
    for (const { engine } of network.nodes) engine.away = false;
    await network.run(5 * 8);
    expect(network.nodes[0]?.chain.head.slot).toBe(76);
    expect(network.nodes[0]?.chain.finalized.epoch).toBeGreaterThanOrEqual(5);
  });

  it("reorganizes to the heavier branch, and tells what left and what joined", async () => {
    network = TestNetwork.withNodes(4);
    await network.run(6);
    const [a, b, c, d] = network.nodes as [TestNode, TestNode, TestNode, TestNode];
    const events = collectHeads(d);
    d.group = 1;
    await network.run(20);
    expect(d.chain.head.root).not.toBe(a.chain.head.root);
    expect(events.length).toBeGreaterThan(0);
    const before = d.chain.head;
    d.group = 0;
    await network.run(10);
    expect(new Set(heads()).size).toBe(1);
    const reorg = events.find((event) => event.reorg !== null) as HeadEvent;
    expect(reorg.removed.map(({ root }) => root)).toContain(before.root);
    expect(reorg.reorg?.depth).toBe(reorg.removed.length);
    expect(reorg.reorg?.commonAncestor.slot).toBe(5);
    expect(reorg.added[0]?.slot).toBeGreaterThan(5);
    expect(reorg.added.at(-1)?.root).toBe(reorg.root);
    expect([b, c].every(({ chain }) => chain.head.root === a.chain.head.root)).toBe(true);
  });

  it("carries triggered exits into a block, sets their exit epochs, and gives them back on a reorg", async () => {
    network = TestNetwork.withNodes(4);
    const [a, b, c, d] = network.nodes as [TestNode, TestNode, TestNode, TestNode];
    const initiated: { validatorIndex: number; exitEpoch: number }[] = [];
    a.chain.events.on("exit_initiated", (event) => initiated.push(event));
    await network.run(3);
    for (const index of [7, 20]) network.world.sendExit(withdrawalAddress(index), pubkeyOf(index));
    await network.run(2);
    const { blockHash } = a.chain.head.payload;
    const exits = [network.world.form(blockHash, 0), network.world.form(blockHash, 1)];
    // A branch of one node alone includes them; the others do not know them yet.
    d.group = 1;
    d.exits = exits;
    const events = collectHeads(d);
    const isIncluded = () => events.some(({ triggeredExits }) => triggeredExits.length === 2);
    for (let slot = 0; slot < 64 && !isIncluded(); slot++) await network.run(1);
    expect(initiated).toEqual([]);
    d.group = 0;
    d.exits = [];
    await network.run(8);
    const reorg = events.find((event) => event.reorg !== null) as HeadEvent;
    expect(reorg.removed.flatMap(({ triggeredExits }) => triggeredExits.map((exit) => exit.validatorIndex))).toEqual([
      7, 20,
    ]);

    for (const node of [a, b, c, d]) node.exits = exits;
    await network.run(2);
    expect(initiated.map(({ validatorIndex }) => validatorIndex)).toEqual([7, 20]);
    const state = d.chain.getState("head");
    expect(state?.validators.get(7).exitEpoch).toBe(initiated[0]?.exitEpoch);
    expect(d.chain.views().head.getValidator(20)?.exitEpoch).toBe(initiated[1]?.exitEpoch);
    expect(d.chain.views().finalized.getValidator(20)?.exitEpoch).toBe(Number.POSITIVE_INFINITY);
  });

  it("goes without exits that the state refuses, rather than miss the slot", async () => {
    network = TestNetwork.withNodes(1);
    const [node] = network.nodes as [TestNode];
    await network.run(2);
    network.world.sendExit(withdrawalAddress(9), pubkeyOf(8));
    await network.run(2);
    node.exits = [network.world.form(node.chain.head.payload.blockHash, 0)];
    await network.run(2);
    expect(node.chain.head.slot).toBe(5);
    expect(node.chain.head.triggeredExits).toEqual([]);
  });

  it("starts in Fulu and goes over to the message bus at the fork's epoch", async () => {
    network = TestNetwork.withNodes(2, 2);
    const [node] = network.nodes as [TestNode];
    await network.run(16);
    expect(isMessageBusState(node.chain.getState("head") as never)).toBe(false);
    expect(node.chain.head.optimistic).toBe(false);
    await network.run(18);
    expect(isMessageBusState(node.chain.getState("head") as never)).toBe(true);
    expect(node.chain.head.slot).toBe(33);
    expect(node.chain.finalized.epoch).toBe(2);
    expect(new Set(network.gossip.map(({ code }) => code))).toEqual(new Set(["VALID"]));
  });
});

function pubkeyOf(index: number): Uint8Array {
  return (KEYS[index] as (typeof KEYS)[0]).pubkey;
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
