import { afterEach, describe, expect, it, vi } from "vitest";
import type { SignedBlock } from "../../src/chain/block.ts";
import type { ForkChoice } from "../../src/chain/fork_choice.ts";
import type { BlockImporter } from "../../src/chain/import.ts";
import type { WireBlock } from "../../src/chain/ports.ts";
import { getSignedBlockType } from "../../src/spec/config.ts";
import { loadState } from "../../src/state/beacon_state.ts";
import { collect, SLOT_MS, TestNetwork, type TestNode } from "./network.ts";

let network: TestNetwork;

afterEach(() => network.stop());

/** Makes a node answer range requests with something else than `honest` does. */
function answerWith(
  { chain }: TestNode,
  honest: TestNode["chain"]["blocksByRange"],
  change: (blocks: WireBlock[]) => WireBlock[] | Promise<never>,
): void {
  chain.blocksByRange = async function* (startSlot, count) {
    const blocks: WireBlock[] = [];
    for await (const block of honest(startSlot, count)) blocks.push(block);
    yield* await change(blocks);
  };
}

async function runUntilSynced(node: TestNode, slots = 4): Promise<void> {
  for (let i = 0; i < slots && node.chain.head.slot < (network.nodes[0] as TestNode).chain.head.slot; i++) {
    await network.run(1);
  }
}

describe("sync", () => {
  it("holds a lone node at genesis for synced, and one behind a peer not", async () => {
    network = TestNetwork.withNodes(1);
    const [first] = network.nodes as [TestNode];
    expect(first.chain.isSynced()).toBe(true);
    await network.run(12);
    first.engine.declinesToBuild = true;
    const late = network.addNode([]);
    expect(late.chain.isSynced()).toBe(false);
    network.introduce(late, first);
    expect(late.chain.isSynced()).toBe(false);
    expect(late.chain.isCurrent()).toBe(false);
    await network.settle();
    expect(late.chain.isSynced()).toBe(true);
    expect(late.chain.isCurrent()).toBe(true);
    expect(late.chain.head.root).toBe(first.chain.head.root);
    await network.run(3);
    expect([late.chain.isSynced(), late.chain.isCurrent()]).toEqual([true, false]);
  });

  it("asks fork choice nothing to tell whether it is synced", async () => {
    network = TestNetwork.withNodes(1);
    const [node] = network.nodes as [TestNode];
    await network.run(2);
    const getHead = vi.spyOn((node.chain as unknown as { forkChoice: ForkChoice }).forkChoice, "getHead");
    expect(node.chain.isSynced()).toBe(true);
    expect(getHead).not.toHaveBeenCalled();
  });

  it("holds a node that starts with an old head for synced only when no peer has told of a newer one for some slots", async () => {
    network = TestNetwork.withNodes(1);
    const [node] = network.nodes as [TestNode];
    await network.run(4);
    network.clock.advance(100 * SLOT_MS);
    const late = network.addNode([]);
    late.online = false;
    expect([node.chain.isSynced(), late.chain.isSynced()]).toEqual([true, false]);
    await network.run(4);
    expect(late.chain.isSynced()).toBe(true);
  });

  it("brings a newcomer to the head over finalized and unfinalized blocks, with finality and validated views", async () => {
    network = TestNetwork.withNodes(2);
    const [first, second] = network.nodes as [TestNode, TestNode];
    await network.run(120);
    const late = network.addNode([]);
    network.introduce(late, first);
    network.introduce(late, second);
    await network.settle();
    expect(late.chain.head.root).toBe(first.chain.head.root);
    expect(late.chain.finalized).toEqual(first.chain.finalized);
    expect(late.chain.head.optimistic).toBe(false);
    expect(network.faults).toEqual([]);
  });

  it("resumes from a finalized state, and serves what it has from there on", async () => {
    network = TestNetwork.withNodes(2);
    const [first] = network.nodes as [TestNode, TestNode];
    await network.run(50);
    const bytes = first.chain.getState("finalized")?.serialize() as Uint8Array;
    const late = network.addNode([], { anchorState: loadState(network.config, bytes) });
    expect(late.chain.finalized).toEqual(first.chain.finalized);
    expect(late.chain.status().earliestAvailableSlot).toBe(32);
    network.introduce(late, first);
    await network.settle();
    expect(late.chain.head.root).toBe(first.chain.head.root);
    await network.run(30);
    expect(late.chain.head.root).toBe(first.chain.head.root);
    expect(late.chain.finalized.epoch).toBe(first.chain.finalized.epoch);
    expect(await late.chain.getBlock("genesis")).toBe(null);
  });

  it("fetches the ancestors of a gossiped block, some by root, many by range", async () => {
    network = TestNetwork.withNodes(2);
    const [first] = network.nodes as [TestNode];
    const late = network.addNode([]);
    for (const gap of [3, 40]) {
      late.online = false;
      await network.run(gap);
      late.online = true;
      await network.run(5);
      expect(late.chain.head.root).toBe(first.chain.head.root);
    }
    expect(network.faults).toEqual([]);
  });

  it("turns to another peer when one answers with nonsense, errors or unlinked blocks", async () => {
    const answers: [string, (blocks: WireBlock[]) => WireBlock[] | Promise<never>][] = [
      ["UNREQUESTED_BLOCK", (blocks) => blocks.map((block) => ({ ...block, ssz: block.ssz.subarray(7) }))],
      ["UNLINKED_BLOCKS", (blocks) => [...blocks].reverse().concat(blocks)],
      ["UNLINKED_BLOCKS", (blocks) => blocks.filter((_, i) => i !== 3)],
      ["REQUEST_FAILED", () => Promise.reject(new Error("gone"))],
      ["BAD_BLOCK", (blocks) => blocks.map(spoilSignature)],
    ];
    network = TestNetwork.withNodes(2);
    const [first, bad] = network.nodes as [TestNode, TestNode];
    await network.run(70);
    const honest = bad.chain.blocksByRange.bind(bad.chain);
    for (const [fault, answer] of answers) {
      network.faults.length = 0;
      answerWith(bad, honest, answer);
      for (const node of network.nodes) node.group = node === bad ? 0 : 1;
      const late = network.addNode([]);
      network.introduce(late, bad);
      await network.settle();
      expect(late.chain.head.slot, fault).toBeLessThan(first.chain.head.slot);
      for (const node of network.nodes) node.group = 0;
      network.introduce(late, first);
      await runUntilSynced(late);
      expect(late.chain.head.root, fault).toBe(first.chain.head.root);
      const codes = network.faults.map((found) => (found.peerId === bad.id ? found.fault : "honest peer"));
      expect(codes, fault).toContain(fault);
      expect(codes, fault).not.toContain("honest peer");
    }
  });

  it("blames no peer for blocks that it has dropped, and turns to another", async () => {
    network = TestNetwork.withNodes(2);
    const [first, second] = network.nodes as [TestNode, TestNode];
    await network.run(50);
    const bytes = first.chain.getState("finalized")?.serialize() as Uint8Array;
    const resumed = network.addNode([], { anchorState: loadState(network.config, bytes) });
    network.introduce(resumed, first);
    await network.settle();
    const late = network.addNode([]);
    for (const node of [first, second]) node.group = 1;
    network.introduce(late, resumed);
    await network.settle();
    expect(late.chain.head.slot).toBe(0);
    for (const node of [first, second]) node.group = 0;
    network.introduce(late, second);
    await network.settle();
    expect(late.chain.head.root).toBe(first.chain.head.root);
    expect(network.faults).toEqual([]);
  });

  it("blames no peer for payloads that our execution client alone finds invalid", async () => {
    network = TestNetwork.withNodes(2);
    await network.run(20);
    const late = network.addNode([]);
    late.engine.notifyNewPayload = async () => ({ status: "INVALID", reason: "a faulty client" });
    for (let i = 0; i < 6; i++) {
      for (const peer of network.nodes) if (peer !== late) network.introduce(late, peer);
      await network.run(1);
    }
    expect(late.chain.head.slot).toBe(0);
    expect(network.faults).toEqual([]);
  });

  it("waits while others' blocks take all of the import queue, and asks nobody again for what it has", async () => {
    network = TestNetwork.withNodes(2);
    const [first] = network.nodes as [TestNode];
    await network.run(20);
    const late = network.addNode([]);
    late.online = false;
    const honest = first.chain.blocksByRange.bind(first.chain);
    const ask = vi.spyOn(first.chain, "blocksByRange").mockImplementation((startSlot, count) => {
      if (ask.mock.calls.length > 20) throw new Error("asked again and again");
      return honest(startSlot, count);
    });
    const [firstBlock] = await collect(first.chain.blocksByRange(1, 1));
    const { promise: hanging, resolve: answer } = Promise.withResolvers<void>();
    const verify = late.engine.notifyNewPayload.bind(late.engine);
    late.engine.notifyNewPayload = (payload) => hanging.then(() => verify(payload));
    const block = getSignedBlockType(network.config, 1).deserialize((firstBlock as WireBlock).ssz) as SignedBlock;
    // One that hangs, and 63 behind it.
    const queued = Array.from({ length: 64 }, () => late.chain.importBlock(block));
    expect(await late.chain.importBlock(block)).toEqual({ code: "QUEUE_FULL" });
    ask.mockClear();
    late.online = true;
    network.introduce(late, first);
    await network.settle();
    expect([late.chain.head.slot, ask.mock.calls.length]).toEqual([0, 1]);
    answer();
    await Promise.all(queued);
    await network.settle();
    expect(late.chain.head.root).toBe(first.chain.head.root);
    expect(ask.mock.calls.length).toBe(1);
    expect(network.faults).toEqual([]);
  });

  it("gives a full import queue up until the next slot", async () => {
    network = TestNetwork.withNodes(2);
    const [first] = network.nodes as [TestNode];
    await network.run(20);
    const late = network.addNode([]);
    const ask = vi.spyOn(first.chain, "blocksByRange");
    const { importer } = late.chain as unknown as { importer: BlockImporter };
    const refuse = vi.spyOn(importer, "importBlock").mockImplementation(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { code: "QUEUE_FULL" };
    });
    network.introduce(late, first);
    for (let i = 0; i < 4; i++) await network.settle();
    expect(refuse.mock.calls.length).toBe(5);
    expect(ask.mock.calls.length).toBe(1);
    refuse.mockRestore();
    await network.run(1);
    expect(late.chain.head.root).toBe(first.chain.head.root);
  });

  it("does not wait for a head that a peer only claims", async () => {
    network = TestNetwork.withNodes(2);
    const [node, liar] = network.nodes as [TestNode, TestNode];
    await network.run(4);
    const lie = { ...liar.chain.status(), headRoot: new Uint8Array(32).fill(1) };
    node.chain.onStatus(liar.id, { ...lie, headSlot: 1_000_000 });
    expect(node.chain.isSynced()).toBe(true);
    for (const { engine } of network.nodes) engine.declinesToBuild = true;
    await network.run(12);
    node.chain.onStatus(liar.id, { ...lie, headSlot: 14 });
    await network.settle();
    expect(node.chain.isSynced()).toBe(true);
    for (const { engine } of network.nodes) engine.declinesToBuild = false;
    await network.run(1);
    expect(node.chain.head.slot).toBe(16);
  });
});

function spoilSignature(block: WireBlock): WireBlock {
  const ssz = block.ssz.slice();
  // The signature stands after the message's offset.
  ssz[50] = (ssz[50] as number) ^ 1;
  return { ...block, ssz };
}
