import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { AnvilEngine } from "../../src/execution/anvil_engine.ts";
import { leafOf } from "../../src/execution/contract.ts";
import type { FollowedBlock } from "../../src/execution/follower.ts";
import type { MessageSource } from "../../src/execution/message_source.ts";
import type { ExecutionPayload, TriggeredExit } from "../../src/spec/types.ts";
import { CuttableProxy } from "./cuttable_proxy.ts";
import { type DevChain, startDevChain } from "./devchain.ts";
import { Recorder } from "./follower_recorder.ts";
import { rootFromProof } from "./proof.ts";

function followed({ blockHash, parentHash, blockNumber, messageBusRoot }: ExecutionPayload): FollowedBlock {
  return { hash: blockHash, parentHash, number: blockNumber, messageBusRoot };
}

function pubkey(i: number): Uint8Array {
  return new Uint8Array(48).fill(i);
}

describe("follower on anvil", () => {
  let chain: DevChain;
  let head: ExecutionPayload;
  const recorders: Recorder[] = [];

  beforeAll(async () => {
    chain = await startDevChain();
    head = chain.base;
  });

  afterAll(async () => {
    for (const { follower } of recorders) await follower.stop();
    await chain.anvil.stop();
  });

  function record(source: MessageSource = chain.engine): Recorder {
    const recorder = new Recorder(source, chain.deployed.blockNumber);
    recorders.push(recorder);
    return recorder;
  }

  async function advance(): Promise<ExecutionPayload> {
    head = await chain.build(head);
    return head;
  }

  test("forms each exit of a block against the root after that block, the same bytes on every node", async () => {
    const recorder = record();
    recorder.follower.setHead([followed(await advance())]);
    await recorder.caughtUp();
    await chain.submit(pubkey(1), { sender: 1 });
    await chain.submit(pubkey(2), { sender: 2, messageType: 5n });
    await chain.submit(pubkey(3).subarray(1), { sender: 3 });
    await chain.submit(pubkey(4), { sender: 4 });
    const block = await advance();
    await chain.submit(pubkey(5));
    const next = await advance();
    recorder.follower.setHead([followed(block), followed(next)]);
    await recorder.caughtUp();
    expect(recorder.formed.map(({ operation }) => operation.data.pubkey).sort()).toEqual([
      pubkey(1),
      pubkey(4),
      pubkey(5),
    ]);
    expect(recorder.messages).toHaveLength(2);
    for (const { operation, origin } of recorder.formed) {
      const { proof, messageSender, messageIndex } = operation.messageBusSignal;
      const leaf = leafOf({ messageType: 1n, sender: messageSender, payload: operation.data.pubkey });
      const at = origin.blockNumber === block.blockNumber ? block : next;
      expect(rootFromProof(leaf, Number(messageIndex), proof)).toEqual(at.messageBusRoot);
    }

    const late = record();
    late.follower.setHead([followed(next)]);
    await late.caughtUp();
    expect(late.formed.map(({ bytes }) => bytes)).toEqual(recorder.formed.map(({ bytes }) => bytes));
    expect(late.follower.treeCount).toBe(recorder.follower.treeCount);
  });

  test("after a reorg has the messages of the new chain, each proven anew", async () => {
    const recorder = record();
    recorder.follower.setHead([followed(head)]);
    await recorder.caughtUp();
    const before = recorder.follower.treeCount;
    await chain.submit(pubkey(11), { sender: 1 });
    const orphan = await chain.build(head);
    await chain.submit(pubkey(12), { sender: 2 });
    const orphanChild = await chain.build(orphan);
    recorder.follower.setHead([followed(orphan), followed(orphanChild)]);
    await recorder.caughtUp();
    expect(recorder.follower.treeCount).toBe(before + 2);

    const replacement = await chain.build(head, 6);
    recorder.formed.length = 0;
    recorder.follower.setHead([followed(replacement)]);
    await recorder.caughtUp();
    expect(recorder.follower.treeCount).toBe(before + 2);
    expect(recorder.follower.rootAt(BigInt(before + 2))).toEqual(replacement.messageBusRoot);
    expect(recorder.warnings).toEqual([]);
    expect(recorder.formed).toHaveLength(2);
    for (const { operation, origin } of recorder.formed) {
      const leaf = leafOf({ messageType: 1n, sender: origin.sender, payload: operation.data.pubkey });
      const { proof } = operation.messageBusSignal;
      expect(rootFromProof(leaf, Number(origin.index), proof)).toEqual(replacement.messageBusRoot);
    }
    head = replacement;
  });

  test("a block that claims another root is not followed, its exits never formed; the honest block is", async () => {
    const recorder = record();
    recorder.follower.setHead([followed(head)]);
    await recorder.caughtUp();
    recorder.formed.length = 0;
    await chain.submit(pubkey(21));
    const honest = await advance();
    const forged = { ...followed(honest), messageBusRoot: new Uint8Array(32).fill(1) };
    recorder.follower.setHead([forged]);
    await new Promise<void>((resolve) => {
      const cancel = systemClock.every(5, () => {
        if (recorder.warnings.length === 0) return;
        cancel();
        resolve();
      });
    });
    expect(recorder.follower.isCaughtUp).toBe(false);
    expect(recorder.formed).toEqual([]);
    expect(recorder.warnings[0]).toContain("do not have the root");
    await chain.submit(pubkey(22));
    const next = await chain.build(honest);
    recorder.follower.setHead([followed(honest), followed(next)]);
    await recorder.caughtUp();
    expect(recorder.follower.rootAt(BigInt(recorder.follower.treeCount))).toEqual(next.messageBusRoot);
    head = next;
  });

  test("the finalized prefix is told, and proofs are given again against the newest root", async () => {
    const recorder = record();
    await chain.submit(pubkey(31));
    const first = await advance();
    await chain.submit(pubkey(32));
    const second = await advance();
    recorder.follower.setFinalized(first.blockHash);
    expect(recorder.follower.finalizedCount).toBe(0n);
    recorder.follower.setHead([followed(first), followed(second)]);
    await recorder.caughtUp();
    const count = await chain.engine.getMessageCount(first.blockHash);
    expect(recorder.follower.finalizedCount).toBe(count);
    expect(recorder.follower.rootAt(count)).toEqual(first.messageBusRoot);
    expect(recorder.follower.rootAt(count + 2n)).toBeNull();
    expect(recorder.follower.leafAt(count + 1n)).toBeNull();
    expect(recorder.follower.proofFor(count, count)).toBeNull();

    const old = recorder.formed.find(({ origin }) => origin.index === count - 1n)?.operation as TriggeredExit;
    const again = recorder.follower.proveAgain(old) as TriggeredExit;
    const leaf = recorder.follower.leafAt(count - 1n) as Uint8Array;
    expect(rootFromProof(leaf, Number(count - 1n), again.messageBusSignal.proof)).toEqual(second.messageBusRoot);
    const other = { ...old, data: { pubkey: pubkey(99) } };
    expect(recorder.follower.proveAgain(other)).toBeNull();
  });

  test("an execution client that is cut off is told once, and its blocks are read when it is back", async () => {
    const proxy = new CuttableProxy(chain.anvil.port);
    const url = await proxy.start();
    const changes: boolean[] = [];
    let onLoss: () => void = () => {};
    const lost = new Promise<void>((resolve) => (onLoss = resolve));
    const onAvailability = (available: boolean) => {
      changes.push(available);
      if (!available) onLoss();
    };
    const engine = new AnvilEngine(
      { url, contract: chain.contract, contestSeconds: 4, timeoutMs: 500 },
      { clock: systemClock, log: silentLogger, onAvailability },
    );
    const recorder = record(engine);
    recorder.follower.setHead([followed(head)]);
    await recorder.caughtUp();
    recorder.formed.length = 0;
    proxy.cut();
    for (let i = 0; i < 4; i++) {
      await chain.submit(pubkey(41 + i));
      recorder.follower.setHead([followed(await advance())]);
    }
    await lost;
    expect(recorder.follower.isCaughtUp).toBe(false);
    proxy.join();
    await recorder.caughtUp();
    expect(recorder.formed.map(({ operation }) => operation.data.pubkey)).toEqual([41, 42, 43, 44].map(pubkey));
    expect(changes).toEqual([false, true]);
    expect(recorder.warnings).toEqual([]);
    await recorder.follower.stop();
    await proxy.stop();
  });
});
