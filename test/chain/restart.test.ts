import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CodedError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/log.ts";
import { type ArchivedBlock, type BlockArchive, MemoryArchive } from "../../src/chain/archive.ts";
import { loadFinalizedState, saveFinalizedStates } from "../../src/chain/finalized_state.ts";
import { LevelArchive } from "../../src/chain/level_archive.ts";
import { collect, TestNetwork, type TestNode } from "./network.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "msgbus-chain-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function archived(slot: number): ArchivedBlock {
  const root = `0x${slot.toString(16).padStart(64, "0")}`;
  return { slot, root, forkDigest: "0a0b0c0d", ssz: new Uint8Array(100).fill(slot) };
}

describe.each([
  ["memory", async () => new MemoryArchive()],
  ["disk", async () => LevelArchive.open(join(directory, "blocks"))],
])("archive in %s", (_, open: () => Promise<BlockArchive & { close?: () => Promise<void> }>) => {
  it("finds blocks by root, slot and range, in order", async () => {
    const archive = await open();
    await archive.put([3, 5, 6, 100].map(archived));
    expect(await archive.getByRoot(archived(5).root)).toEqual(archived(5));
    expect((await archive.getBySlot(6))?.forkDigest).toBe("0a0b0c0d");
    expect([await archive.getBySlot(4), await archive.getByRoot(archived(4).root)]).toEqual([null, null]);
    const slots: number[] = [];
    for await (const { slot } of archive.range(4, 100)) slots.push(slot);
    expect(slots).toEqual([5, 6]);
    await archive.close?.();
  });
});

describe("memory archive", () => {
  it("drops the oldest blocks beyond its size, and tells from where on it serves", async () => {
    const archive = new MemoryArchive(350);
    await archive.put([1, 2, 3, 4, 5].map(archived));
    expect([await archive.getBySlot(2), (await archive.getBySlot(3))?.slot]).toEqual([null, 3]);
    expect(archive.earliestSlot).toBe(3);
  });
});

describe("disk archive", () => {
  it("says that another node holds it", async () => {
    const archive = await LevelArchive.open(join(directory, "blocks"));
    const code = await LevelArchive.open(join(directory, "blocks")).catch((error: CodedError) => error.code);
    expect(code).toBe("ARCHIVE_UNAVAILABLE");
    await archive.close();
  });
});

describe("restart", () => {
  it("goes on from the finalized state, serves old blocks, and signs nothing twice", async () => {
    const network = new TestNetwork();
    const statePath = join(directory, "finalized_state.ssz");
    const protectionPath = join(directory, "slashing_protection.json");
    const halves = [0, 32].map((first) => Array.from({ length: 32 }, (_, i) => first + i));
    const first = network.addNode(halves[0] as number[]);
    const archive = await LevelArchive.open(join(directory, "blocks"));
    const node = network.addNode(halves[1] as number[], { archive, protectionPath });
    const stopSaving = saveFinalizedStates(node.chain, statePath, silentLogger);
    await network.run(44);
    await node.chain.stop();
    await stopSaving();
    await archive.close();
    const { finalized } = node.chain;
    network.nodes.splice(1, 1);
    await network.run(4);

    const anchorState = await loadFinalizedState(network.genesisState, statePath);
    if (anchorState === null) throw new Error("No finalized state was written");
    const again = await LevelArchive.open(join(directory, "blocks"));
    const restarted: TestNode = network.addNode(halves[1] as number[], { anchorState, archive: again, protectionPath });
    expect(restarted.chain.finalized).toEqual(finalized);
    expect((await collect(restarted.chain.blocksByRange(1, 20))).length).toBe(20);
    const found = await restarted.chain.getBlock("finalized");
    expect(found?.block.header).toEqual((await first.chain.getBlock(finalized.root))?.block.header);
    expect(restarted.chain.getState(found?.block.slot as number)?.slot).toBe(found?.block.slot);
    await network.run(24);
    expect(restarted.chain.head.root).toBe(first.chain.head.root);
    expect(first.chain.finalized.epoch).toBeGreaterThanOrEqual(6);
    expect(network.gossip.filter(({ result }) => result === "reject")).toEqual([]);
    await network.stop();
    await again.close();
  });

  it("starts from nothing where no state was written, and says what is wrong with a bad one", async () => {
    const network = new TestNetwork();
    const path = join(directory, "finalized_state.ssz");
    expect(await loadFinalizedState(network.genesisState, path)).toBe(null);
    writeFileSync(path, "half a state");
    const code = await loadFinalizedState(network.genesisState, path).catch((error: CodedError) => error.code);
    expect(code).toBe("BAD_SSZ");
  });
});
