import fc from "fast-check";
import { bytesToHex } from "viem";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { CodedError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type FollowedBlock, MessageFollower } from "../../src/execution/follower.ts";
import type { MessageSource, NumberedMessage } from "../../src/execution/message_source.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { DEADLINE_MS, Recorder } from "./follower_recorder.ts";
import { SimulatedChain } from "./simulated_chain.ts";

describe("follower in a simulation", () => {
  test("ends with the head's tree after any reorgs, gaps, failures and finalizations", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = seededRandom(seed);
        const chain = new SimulatedChain(random);
        const clock = { ...systemClock, after: (_delayMs: number, task: () => void) => systemClock.after(0, task) };
        const formed = new Map<string, string>();
        const follower = new MessageFollower(
          { deployBlock: 1 },
          {
            source: chain,
            clock,
            log: silentLogger,
            onOperation(operation, { transactionHash, blockNumber }) {
              const bytes = bytesToHex(TriggeredExit.serialize(operation));
              const key = `${bytesToHex(transactionHash)} ${blockNumber}`;
              expect(formed.get(key) ?? bytes).toBe(bytes);
              formed.set(key, bytes);
            },
          },
        );
        let finalized = chain.canonical;
        chain.failureRate = 0.3;
        for (let step = 0; step < 25; step++) {
          const back = random.below(5);
          let parent = chain.canonical;
          for (let i = 0; i < back && parent !== finalized && parent.parent !== null; i++) parent = parent.parent;
          let head = parent;
          for (let i = random.below(3); i >= 0; i--) head = chain.grow(head);
          chain.canonical = head;
          // Sometimes less than the way from the common ancestor: a gap.
          follower.setHead(chain.pathTo(head, 1 + random.below(9)));
          if (random.below(4) === 0) {
            const candidates = chain.pathTo(head, head.number - finalized.number + 1);
            finalized = candidates[random.below(candidates.length)] ?? finalized;
            follower.setFinalized(finalized.hash);
          }
          for (let i = random.below(6); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
        }
        chain.failureRate = 0;
        const head = chain.canonical;
        const endMs = systemClock.monotonicMs() + DEADLINE_MS;
        while (!follower.isCaughtUp && systemClock.monotonicMs() < endMs) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(follower.treeCount).toBe(head.leaves.length);
        expect(follower.rootAt(BigInt(head.leaves.length))).toEqual(head.messageBusRoot);
        const finalizedCount = Number(follower.finalizedCount);
        for (let i = 0; i < finalizedCount; i++) expect(follower.leafAt(BigInt(i))).toEqual(head.leaves[i]);
        await follower.stop();
      }),
      { seed: 11, numRuns: 40 },
    );
  });

  test("hundreds of operations leave others their turn, and end where a reorg cuts their block off", async () => {
    const chain = new SimulatedChain(seededRandom(3));
    const base = chain.canonical;
    let head = base;
    for (let i = 0; i < 8; i++) head = chain.grow(head, 40);
    const other = chain.grow(base, 2);
    chain.canonical = head;
    const exits = chain.pathTo(head, 99).flatMap(({ messages }) => messages.filter((each) => each.messageType === 1n));
    let [formed, formedInTurn, formedInTurnMax] = [0, 0, 0];
    const follower: MessageFollower = new MessageFollower(
      { deployBlock: 1 },
      {
        source: chain,
        clock: systemClock,
        log: silentLogger,
        onOperation() {
          formed += 1;
          formedInTurn += 1;
          if (formed !== 20) return;
          chain.canonical = other;
          systemClock.after(0, () => follower.setHead([base, other]));
        },
      },
    );
    const caughtUp = () => follower.isCaughtUp && follower.treeCount === other.leaves.length;
    follower.setHead(chain.pathTo(head, 1));
    const endMs = systemClock.monotonicMs() + DEADLINE_MS;
    while (!caughtUp() && systemClock.monotonicMs() < endMs) {
      await new Promise((resolve) => setImmediate(resolve));
      formedInTurnMax = Math.max(formedInTurnMax, formedInTurn);
      formedInTurn = 0;
    }
    expect(caughtUp()).toBe(true);
    expect(formedInTurnMax).toBeLessThanOrEqual(64);
    expect(formed).toBeLessThan(exits.length);
    await follower.stop();
  });

  test("logs that leave a message out are not believed", async () => {
    const chain = new SimulatedChain(seededRandom(5));
    let block = chain.canonical;
    while (block.messages.length < 2) block = chain.grow(block);
    chain.canonical = block;
    let honest = false;
    const source: MessageSource = {
      getMessages: (hash) => chain.getMessages(hash),
      async getMessagesInRange(from, to) {
        const messages = await chain.getMessagesInRange(from, to);
        return honest ? messages : messages.slice(1);
      },
    };
    const recorder = new Recorder(source, 1);
    recorder.follower.setHead([block]);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.warnings).toEqual([expect.stringContaining("leave messages out")]);
    expect(recorder.follower.treeCount).toBe(0);
    expect(recorder.formed).toEqual([]);
    honest = true;
    await recorder.caughtUp();
    expect(recorder.follower.treeCount).toBe(block.leaves.length);
    await recorder.follower.stop();
  });

  test("catches up where the client answers few messages at once, and loses nothing by a failure", async () => {
    const chain = new SimulatedChain(seededRandom(9));
    let block = chain.canonical;
    while (block.number < 300) block = chain.grow(block);
    chain.canonical = block;
    const asked: number[] = [];
    let failed = false;
    const source: MessageSource = {
      getMessages: (hash) => chain.getMessages(hash),
      async getMessagesInRange(from, to) {
        asked.push(from);
        if (from > 100 && !failed) {
          failed = true;
          throw new CodedError("EL_UNAVAILABLE", "away");
        }
        const messages = await chain.getMessagesInRange(from, to);
        if (messages.length > 40) throw new CodedError("EL_ANSWER_TOO_LARGE", "too large");
        return messages;
      },
    };
    const recorder = new Recorder(source, 1);
    recorder.follower.setHead([block]);
    await recorder.caughtUp();
    expect(recorder.follower.treeCount).toBe(block.leaves.length);
    expect(asked).toEqual([...asked].sort((a, b) => a - b));
    expect(asked.length).toBeLessThan(60);
    await recorder.follower.stop();
  });

  test("stops at once in the middle of a wait or a call, and tells nothing after", async () => {
    const chain = new SimulatedChain(seededRandom(6));
    chain.failureRate = 1;
    const waiting = new Recorder(chain, 1);
    waiting.follower.setHead([chain.canonical]);
    await new Promise((resolve) => setImmediate(resolve));
    await waiting.follower.stop();

    let answer: (messages: NumberedMessage[]) => void = () => {};
    const slow: MessageSource = {
      getMessages: () => Promise.resolve([]),
      getMessagesInRange: () => new Promise((resolve) => (answer = resolve)),
    };
    const calling = new Recorder(slow, 1);
    calling.follower.setHead([chain.canonical]);
    const stopped = calling.follower.stop();
    answer(chain.canonical.messages);
    await stopped;
    calling.follower.setHead([chain.canonical]);
    expect(calling.formed).toEqual([]);
    expect(calling.follower.treeCount).toBe(0);
  });

  test("keeps a bounded number of blocks while nothing is finalized", async () => {
    const messageBusRoot = new MessageTree().rootAt(0);
    let rangesRead = 0;
    const source: MessageSource = {
      getMessages: async () => [],
      async getMessagesInRange() {
        rangesRead += 1;
        return [];
      },
    };
    const recorder = new Recorder(source, 1);
    const { follower } = recorder;
    const random = seededRandom(8);
    const blocks: FollowedBlock[] = [];
    const grow = (parent: FollowedBlock | undefined): FollowedBlock => {
      const parentHash = parent?.hash ?? random.bytes(32);
      return { hash: random.bytes(32), parentHash, number: (parent?.number ?? 0) + 1, messageBusRoot };
    };
    while (blocks.length < 9_000) {
      const from = blocks.length;
      for (let i = 0; i < 500; i++) blocks.push(grow(blocks.at(-1)));
      follower.setHead(blocks.slice(from));
    }
    await recorder.caughtUp();
    const readBefore = rangesRead;
    follower.setHead([grow(blocks.at(-1))]);
    await recorder.caughtUp();
    expect(rangesRead).toBe(readBefore);
    // The first has been forgotten: a chain that parts there connects to nothing.
    follower.setHead([grow(blocks[0])]);
    await recorder.caughtUp();
    expect(rangesRead).toBe(readBefore + 1);
    await follower.stop();
  });
});
