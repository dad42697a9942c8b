import { compressSync } from "snappy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serializeBlock } from "../../src/chain/block.ts";
import { type CachedState, loadState } from "../../src/state/beacon_state.ts";
import { TestNetwork, TestNode } from "./network.ts";
import { createProposal } from "./proposal.ts";

let network: TestNetwork;
let nodes: TestNode[];

beforeEach(async () => {
  network = TestNetwork.withNodes(4);
  nodes = network.nodes;
  await network.run(4);
});

afterEach(() => network.stop());

describe("optimistic import", () => {
  it("follows the chain while the execution client is away, signs nothing, and catches up with its verification", async () => {
    const [node, other] = nodes as [TestNode, TestNode];
    node.engine.away = true;
    await network.run(10);
    expect(node.chain.head.root).toBe(other.chain.head.root);
    expect(node.chain.head.optimistic).toBe(true);
    expect((await node.chain.getBlock(node.chain.verifiedHead))?.block.slot).toBeLessThan(6);
    const lately = network.gossip.slice(-60).filter(({ from }) => from === node.id);
    expect(lately).toEqual([]);
    const verified: number[] = [];
    node.chain.events.on("verified", ({ slot }) => verified.push(slot));
    node.engine.away = false;
    await network.run(20);
    expect(node.chain.head.optimistic).toBe(false);
    expect(node.chain.verifiedHead).toBe(other.chain.head.root);
    expect(verified).toEqual([...verified].sort((a, b) => a - b));
    expect(network.gossip.slice(-60).some(({ from }) => from === node.id)).toBe(true);
  });

  it("leaves roots that only unverified payloads brought out of the head's view, until they are verified", async () => {
    const [node, other] = nodes as [TestNode, TestNode];
    node.engine.syncing = true;
    network.world.sendExit(new Uint8Array(20), new Uint8Array(48));
    await network.run(3);
    const root = other.chain.head.payload.messageBusRoot;
    expect(other.chain.views().head.roots.has(root)).toBe(true);
    expect(node.chain.head.root).toBe(other.chain.head.root);
    expect(node.chain.views().head.roots.has(root)).toBe(false);
    node.engine.syncing = false;
    await network.run(6);
    expect(node.chain.views().head.roots.has(root)).toBe(true);
  });

  it("refuses a payload with a forged message bus root, forwards its block, and goes on without it", async () => {
    const [node] = nodes as [TestNode];
    const { signedBlock } = await createProposal(network, {
      mutatePayload: (p) => ({ ...p, messageBusRoot: new Uint8Array(32).fill(9) }),
    });
    const { forkDigest, ssz } = serializeBlock(network.config, signedBlock);
    const before = node.chain.head.slot;
    for (const to of nodes) {
      const verdict = await network.deliver("block", "stranger", to, forkDigest, compressSync(ssz));
      expect(verdict).toEqual({ result: "accept", code: "VALID" });
    }
    await network.settle();
    expect(node.chain.head.slot).toBe(before);
    const again = await network.deliver("block", "stranger", node, forkDigest, compressSync(ssz));
    expect(again).toEqual({ result: "ignore", code: "INVALID_PAYLOAD" });
    await network.run(20);
    expect(new Set(nodes.map(({ chain }) => chain.head.root)).size).toBe(1);
    expect(node.chain.head.slot - before).toBeGreaterThan(15);
  });

  it("removes blocks whose payload turns out invalid after their import, and reorganizes", async () => {
    const [node, other] = nodes as [TestNode, TestNode];
    node.engine.syncing = true;
    const { signedBlock } = await createProposal(network, {
      mutatePayload: (p) => ({ ...p, messageBusRoot: new Uint8Array(32).fill(9) }),
    });
    const { forkDigest, ssz } = serializeBlock(network.config, signedBlock);
    await network.deliver("block", "stranger", node, forkDigest, compressSync(ssz));
    await network.settle();
    const depths: number[] = [];
    node.chain.events.on("head", ({ reorg }) => depths.push(reorg?.depth ?? 0));
    expect(node.chain.head).toMatchObject({ slot: signedBlock.message.slot, optimistic: true });
    expect(other.chain.head.slot).toBeLessThan(signedBlock.message.slot);
    node.engine.syncing = false;
    await network.run(4);
    expect(depths[0]).toBe(1);
    expect(node.chain.head.root).toBe(other.chain.head.root);
    expect(node.chain.head.optimistic).toBe(false);
  });

  it("is not silenced by a proposer whose payload no execution client knows", async () => {
    const [node] = nodes as [TestNode];
    const { signedBlock } = await createProposal(network, {
      mutatePayload: (p) => ({ ...p, blockHash: new Uint8Array(32).fill(9) }),
    });
    const { forkDigest, ssz } = serializeBlock(network.config, signedBlock);
    for (const to of nodes) await network.deliver("block", "stranger", to, forkDigest, compressSync(ssz));
    await network.settle();
    expect(node.chain.head).toMatchObject({ slot: signedBlock.message.slot, optimistic: true });
    const before = node.chain.head.slot;
    await network.run(16);
    expect(node.chain.head.slot).toBe(before + 16);
    expect(node.chain.head.optimistic).toBe(false);
  });

  it("verifies its head after an outage though a payload that no one knows came before", async () => {
    const { signedBlock } = await createProposal(network, {
      mutatePayload: (payload) => ({ ...payload, blockHash: new Uint8Array(32).fill(9) }),
    });
    const { forkDigest, ssz } = serializeBlock(network.config, signedBlock);
    for (const to of nodes) await network.deliver("block", "stranger", to, forkDigest, compressSync(ssz));
    await network.run(2);
    for (const { engine } of nodes) engine.syncing = true;
    await network.run(6);
    expect(nodes[0]?.chain.head.optimistic).toBe(true);
    for (const { engine } of nodes) engine.syncing = false;
    await network.run(12);
    expect(nodes.map(({ chain }) => chain.head.optimistic)).toEqual([false, false, false, false]);
    expect(nodes[0]?.chain.head.slot).toBe(nodes[0]?.chain.slots.currentSlot);
  });

  it("follows the others without a word of an execution client that contradicts its finalized block", async () => {
    const [node] = nodes as [TestNode];
    network.world.sendExit(new Uint8Array(20), new Uint8Array(48));
    await network.run(36);
    const finalized = node.chain.getState("finalized") as CachedState;
    expect(node.chain.views().finalized.roots.has(node.chain.head.payload.messageBusRoot)).toBe(true);
    const late = new TestNode(network, "late", [], { anchorState: loadState(network.config, finalized.serialize()) });
    // As with another contract: an own root for each block.
    late.engine.getMessageRoot = async () => new Uint8Array(32).fill(9);
    late.engine.notifyNewPayload = async () => ({ status: "INVALID", reason: "messageBusRoot is another" });
    nodes.push(late);
    late.chain.start();
    network.introduce(late, node);
    await network.run(8);
    expect(late.chain.head.root).toBe(node.chain.head.root);
    expect(late.chain.head.optimistic).toBe(true);
    expect(late.chain.finalized).toEqual(node.chain.finalized);
    expect((await late.chain.getBlock(late.chain.verifiedHead))?.block.slot).toBeLessThan(node.chain.head.slot - 4);
  });

  it("goes on without a block that the execution client has taken back", async () => {
    const [node] = nodes as [TestNode];
    const { root, slot, payload } = node.chain.head;
    network.world.forget(payload.blockHash);
    await network.run(16);
    expect(new Set(nodes.map(({ chain }) => chain.head.root)).size).toBe(1);
    expect(node.chain.head.slot).toBeGreaterThan(slot + 8);
    expect(node.chain.head.optimistic).toBe(false);
    expect((await node.chain.getBlock(root))?.canonical ?? false).toBe(false);
  });
});
