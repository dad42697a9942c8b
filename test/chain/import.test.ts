import { compressSync } from "snappy";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SignedBlock, serializeBlock, toChainBlock } from "../../src/chain/block.ts";
import type { BlockStore } from "../../src/chain/block_store.ts";
import type { BlockVerdict } from "../../src/chain/gossip_codes.ts";
import { PendingBlocks } from "../../src/chain/pending_blocks.ts";
import { BeaconBlock, BeaconBlockBody, type SignedBeaconBlock } from "../../src/spec/types.ts";
import { TestNetwork, type TestNode } from "./network.ts";
import { createProposal, resign } from "./proposal.ts";

let network: TestNetwork;
let node: TestNode;
let block: SignedBlock;

beforeEach(async () => {
  network = TestNetwork.withNodes(1);
  [node] = network.nodes as [TestNode];
  await network.run(3);
  ({ signedBlock: block } = await createProposal(network));
});

afterEach(() => network.stop());

async function judge(signedBlock: SignedBlock): Promise<BlockVerdict> {
  const { forkDigest, ssz } = serializeBlock(network.config, signedBlock);
  return judgeBytes(compressSync(ssz), forkDigest);
}

async function judgeBytes(wire: Uint8Array, forkDigest: string): Promise<BlockVerdict> {
  return (await network.deliver("block", "peer", node, forkDigest, wire)) as BlockVerdict;
}

function withBody(change: object): SignedBeaconBlock {
  const { body } = (block as SignedBeaconBlock).message;
  return resign(network, block, { body: BeaconBlockBody.clone({ ...BeaconBlockBody.clone(body), ...change }) });
}

describe("gossiped block", () => {
  it("accepts the due proposer's block, and imports it", async () => {
    expect(await judge(block)).toEqual({ result: "accept", code: "VALID" });
    await network.settle();
    expect(node.chain.head.slot).toBe(block.message.slot);
    expect(await judge(block)).toEqual({ result: "ignore", code: "ALREADY_KNOWN" });
  });

  it("rejects bytes that are no block", async () => {
    const { forkDigest, ssz } = serializeBlock(network.config, block);
    expect(await judgeBytes(Uint8Array.of(0xff, 0xff, 0xff), forkDigest)).toEqual({
      result: "reject",
      code: "BAD_SNAPPY",
    });
    const bomb = Uint8Array.of(0x81, 0x80, 0x80, 0x05, 0x00);
    expect(await judgeBytes(bomb, forkDigest)).toEqual({ result: "reject", code: "WRONG_LENGTH" });
    const cut = compressSync(ssz.subarray(0, ssz.length - 300));
    expect(await judgeBytes(cut, forkDigest)).toEqual({ result: "reject", code: "BAD_SSZ" });
    const inexact = ssz.slice();
    // The proposer index stands after the slot; its highest byte makes it a number that loses bits.
    inexact[100 + 15] = 0xff;
    expect(await judgeBytes(compressSync(inexact), forkDigest)).toEqual({ result: "reject", code: "UINT64_TOO_LARGE" });
  });

  it("rejects a block under another fork's digest", async () => {
    const { ssz } = serializeBlock(network.config, block);
    expect(await judgeBytes(compressSync(ssz), "00000000")).toEqual({ result: "reject", code: "WRONG_FORK" });
  });

  it("ignores a block from the future, but not by less than half a second", async () => {
    const far = resign(network, block, { slot: block.message.slot + 2 });
    expect(await judge(far)).toEqual({ result: "ignore", code: "FUTURE_SLOT" });
    node.engine.declinesToBuild = true;
    const { chain } = node;
    const parent = chain.head.root;
    const { signedBlock } = await createProposal(network, { parent });
    const late = await judge(signedBlock);
    expect(late.code).toBe("VALID");
  });

  it("takes a block half a second early, and imports it when its slot begins", async () => {
    const { chain } = node;
    const { slot } = block.message;
    network.clock.jumpTo(chain.slots.slotStartMs(slot) - 300);
    expect(await judge(block)).toEqual({ result: "accept", code: "VALID" });
    await network.settle();
    expect(chain.head.slot).toBe(slot - 1);
    network.clock.advanceTo(chain.slots.slotStartMs(slot));
    await network.settle();
    expect(chain.head.slot).toBe(slot);
  });

  it("ignores a second block of the same proposer and slot", async () => {
    await judge(block);
    const second = withBody({ graffiti: new Uint8Array(32).fill(1) });
    expect(await judge(second)).toEqual({ result: "ignore", code: "PROPOSER_REPEATED" });
  });

  it("rejects a wrong signature, without holding it against the true block", async () => {
    const forged = { ...block, signature: resign(network, block, { slot: 1 }).signature } as SignedBlock;
    expect(await judge(forged)).toEqual({ result: "reject", code: "BAD_SIGNATURE" });
    expect(await node.chain.importBlock(forged)).toMatchObject({ code: "INVALID_BLOCK" });
    expect(await judge(block)).toEqual({ result: "accept", code: "VALID" });
  });

  it("rejects a proposer that is not due", async () => {
    const proposerIndex = (block.message.proposerIndex + 1) % 64;
    expect(await judge(resign(network, block, { proposerIndex }))).toEqual({
      result: "reject",
      code: "WRONG_PROPOSER",
    });
  });

  it("rejects a slot that is not after the parent's", async () => {
    const { head } = node.chain;
    const { executionPayload } = (block as SignedBeaconBlock).message.body;
    const timestamp = Math.floor(node.chain.slots.slotStartMs(head.slot) / 1000);
    const body = { ...(block as SignedBeaconBlock).message.body, executionPayload: { ...executionPayload, timestamp } };
    const old = resign(network, block, { slot: head.slot, body: BeaconBlockBody.clone(body), proposerIndex: 5 });
    expect((await judge(old)).code).toBe("SLOT_NOT_AFTER_PARENT");
  });

  it("rejects a payload of another slot's time, and blobs beyond the limit", async () => {
    const { executionPayload } = (block as SignedBeaconBlock).message.body;
    const late = withBody({ executionPayload: { ...executionPayload, timestamp: executionPayload.timestamp + 1 } });
    expect(await judge(late)).toEqual({ result: "reject", code: "WRONG_TIMESTAMP" });
    const blobs = withBody({ blobKzgCommitments: Array.from({ length: 50 }, () => new Uint8Array(48)) });
    expect(await judge(blobs)).toEqual({ result: "reject", code: "TOO_MANY_BLOBS" });
  });

  it("forwards a block with a wrong state root, does not import it, and rejects its children", async () => {
    const wrong = resign(network, block, { stateRoot: new Uint8Array(32).fill(1) });
    expect(await judge(wrong)).toEqual({ result: "accept", code: "VALID" });
    await network.settle();
    expect(node.chain.head.slot).toBe(block.message.slot - 1);
    const { root } = toChainBlock(network.config, wrong);
    const parentRoot = Uint8Array.from(Buffer.from(root.slice(2), "hex"));
    const { signedBlock } = await createProposal(network);
    const child = resign(network, signedBlock, { parentRoot });
    expect(await judge(child)).toEqual({ result: "reject", code: "INVALID_PARENT" });
  });

  it("ignores blocks at or before the finalized slot", async () => {
    await network.run(40);
    expect(node.chain.finalized.epoch).toBeGreaterThan(2);
    expect(await judge(block)).toEqual({ result: "ignore", code: "FINALIZED_SLOT" });
  });

  it("does not keep an orphan of a proposer that finality does not know, nor one that is badly signed", async () => {
    const parentRoot = new Uint8Array(32).fill(1);
    const orphan = resign(network, block, { parentRoot });
    expect(await judge(orphan)).toEqual({ result: "ignore", code: "UNKNOWN_PARENT" });
    const { message, signature } = orphan;
    const stranger = { message: { ...BeaconBlock.clone(message), proposerIndex: 64 }, signature };
    expect(await judge(stranger)).toEqual({ result: "ignore", code: "UNKNOWN_PROPOSER" });
    const unsigned = { message, signature: (block as SignedBeaconBlock).signature };
    expect(await judge(unsigned)).toEqual({ result: "reject", code: "BAD_SIGNATURE" });
  });

  it("looks at who signed before it makes a parent's state again", async () => {
    const { store } = node.chain as unknown as { store: BlockStore };
    const findState = vi.spyOn(store, "findState");
    const unsigned = resign(network, block, { proposerIndex: 1 });
    unsigned.message.proposerIndex = 2;
    expect(await judge(unsigned)).toEqual({ result: "reject", code: "BAD_SIGNATURE" });
    expect(findState).not.toHaveBeenCalled();
    await judge(block);
    expect(findState).toHaveBeenCalled();
  });

  it("keeps a block whose parent is unknown, and imports it after its parent", async () => {
    await node.chain.importBlock(block);
    const { signedBlock: child } = await createProposal(network);
    const late = network.addNode([]);
    await network.run(1);
    const stranger = network.addNode([]);
    stranger.online = false;
    const { forkDigest, ssz } = serializeBlock(network.config, child);
    const verdict = await network.deliver("block", "peer", stranger, forkDigest, compressSync(ssz));
    expect(verdict).toEqual({ result: "ignore", code: "UNKNOWN_PARENT" });
    for (const slot of [1, 2, block.message.slot]) {
      const found = (await node.chain.getBlock(slot))?.block.signedBlock;
      if (found) await stranger.chain.importBlock(found);
    }
    await network.settle();
    expect(stranger.chain.head.slot).toBe(child.message.slot);
    expect(late.chain.head.slot).toBe(node.chain.head.slot);
  });
});

describe("blocks waiting for their parents", () => {
  it("are bounded for each peer and in all", () => {
    const pending = new PendingBlocks();
    const add = (peer: number, i: number) => {
      const chainBlock = { ...toChainBlock(network.config, block), root: `${peer}:${i}` };
      return pending.add(block, chainBlock, `peer${peer}`);
    };
    const taken = Array.from({ length: 20 }, (_, i) => add(0, i)).filter(Boolean);
    expect(taken.length).toBe(8);
    for (let peer = 1; peer < 20; peer++) for (let i = 0; i < 8; i++) add(peer, i);
    expect(pending.size).toBe(64);
    expect(pending.takeChildren(toChainBlock(network.config, block).parentRoot).length).toBe(64);
    expect(pending.size).toBe(0);
  });
});
