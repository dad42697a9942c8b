import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { bytesToHex } from "viem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { CodedError } from "../../src/base/errors.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { AnvilEngine } from "../../src/execution/anvil_engine.ts";
import { leafOf } from "../../src/execution/contract.ts";
import {
  type FollowedBlock,
  MessageFollower,
  type MessageOrigin,
  type MessageSource,
  type NumberedMessage,
} from "../../src/execution/follower.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { type ExecutionPayload, TriggeredExit } from "../../src/spec/types.ts";
import { type DevChain, startDevChain } from "./devchain.ts";
import { rootFromProof } from "./proof.ts";

const DEADLINE_MS = 60_000;

interface Formed {
  readonly bytes: string;
  readonly operation: TriggeredExit;
  readonly origin: MessageOrigin;
}

/** A follower that writes down what it tells. */
class Recorder {
  readonly formed: Formed[] = [];
  readonly messages: MessageOrigin[] = [];
  readonly warnings: string[] = [];
  readonly follower: MessageFollower;
  #onFollowed: () => void = () => {};

  constructor(source: MessageSource, deployBlock: number) {
    const log: Logger = {
      ...silentLogger,
      warn: (_fields: object, sentence?: string) => void this.warnings.push(sentence ?? ""),
      info() {},
      child: () => log,
    };
    this.follower = new MessageFollower(
      { deployBlock },
      {
        source,
        clock: systemClock,
        log,
        onOperation: (operation, origin) => {
          this.formed.push({ bytes: bytesToHex(TriggeredExit.serialize(operation)), operation, origin });
        },
        onMessage: (origin) => this.messages.push(origin),
        onFollowed: () => this.#onFollowed(),
      },
    );
  }

  /** Resolves when the head is followed. */
  caughtUp(): Promise<void> {
    return this.until(() => this.follower.isCaughtUp);
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = systemClock.after(DEADLINE_MS, () => reject(new Error("not in time")));
      this.#onFollowed = () => {
        if (!condition()) return;
        cancel();
        resolve();
      };
    });
  }
}

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
    expect(recorder.follower.messagesInBlock(block.blockHash)).toHaveLength(4);

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
    expect(recorder.follower.messagesInBlock(orphan.blockHash)).toBeNull();
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

/** A TCP proxy that can be cut: connections are refused and dropped meanwhile. */
class CuttableProxy {
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isCut = false;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => {
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      const target = connect(this.#targetPort, "127.0.0.1");
      for (const each of [socket, target]) {
        this.#sockets.add(each);
        each.on("error", () => {});
        each.on("close", () => this.#sockets.delete(each));
      }
      socket.pipe(target).pipe(socket);
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  join(): void {
    this.#isCut = false;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}

interface SimulatedBlock extends FollowedBlock {
  readonly parent: SimulatedBlock | null;
  readonly messages: NumberedMessage[];
  readonly leaves: Uint8Array[];
}

/** A block tree in memory; an execution client that serves one chain of it and fails at will. */
class SimulatedChain implements MessageSource {
  readonly #random: Random;
  readonly blocks: SimulatedBlock[] = [];
  canonical: SimulatedBlock;
  failureRate = 0;

  constructor(random: Random) {
    this.#random = random;
    this.canonical = this.grow(null);
  }

  grow(parent: SimulatedBlock | null, messageCount = this.#random.below(4)): SimulatedBlock {
    const number = (parent?.number ?? 0) + 1;
    const hash = this.#random.bytes(32);
    const leaves = parent === null ? [] : [...parent.leaves];
    const messages = Array.from(
      { length: messageCount },
      (_, i): NumberedMessage => ({
        index: BigInt(leaves.length + i),
        messageType: BigInt(this.#random.below(2)),
        sender: this.#random.bytes(20),
        payload: this.#random.bytes(48),
        transactionHash: this.#random.bytes(32),
        blockNumber: number,
        blockHash: hash,
      }),
    );
    leaves.push(...messages.map(leafOf));
    const tree = new MessageTree();
    for (const leaf of leaves) tree.append(leaf);
    const messageBusRoot = tree.rootAt(leaves.length);
    const parentHash = parent?.hash ?? new Uint8Array(32);
    const block = { hash, parentHash, number, messageBusRoot, parent, messages, leaves };
    this.blocks.push(block);
    return block;
  }

  pathTo(head: SimulatedBlock, length: number): SimulatedBlock[] {
    const path = [head];
    for (let block = head.parent; block !== null && path.length < length; block = block.parent) path.unshift(block);
    return path;
  }

  async getMessages(blockHash: Uint8Array): Promise<NumberedMessage[]> {
    this.#maybeFail();
    return this.blocks.find((block) => block.hash === blockHash)?.messages ?? [];
  }

  async getMessagesInRange(fromBlock: number, toBlock: number): Promise<NumberedMessage[]> {
    this.#maybeFail();
    const path = this.pathTo(this.canonical, Number.POSITIVE_INFINITY);
    return path.filter(({ number }) => number >= fromBlock && number <= toBlock).flatMap(({ messages }) => messages);
  }

  #maybeFail(): void {
    if (this.#random.float() < this.failureRate) throw new CodedError("EL_UNAVAILABLE", "away");
  }
}

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
    const recorder = new Recorder(new SimulatedChain(seededRandom(7)), 1);
    const emptyRoot = new MessageTree().rootAt(0);
    const source: MessageSource = { getMessages: async () => [], getMessagesInRange: async () => [] };
    const bounded = new Recorder(source, 1);
    const random = seededRandom(8);
    let parentHash = random.bytes(32);
    let first: Uint8Array | null = null;
    for (let number = 1; number <= 9_000; number += 500) {
      const path = Array.from({ length: 500 }, (_, i): FollowedBlock => {
        const block = { hash: random.bytes(32), parentHash, number: number + i, messageBusRoot: emptyRoot };
        parentHash = block.hash;
        first ??= block.hash;
        return block;
      });
      bounded.follower.setHead(path);
    }
    await bounded.caughtUp();
    expect(bounded.follower.messagesInBlock(first ?? new Uint8Array())).toBeNull();
    expect(bounded.follower.messagesInBlock(parentHash)).toEqual([]);
    await bounded.follower.stop();
    await recorder.follower.stop();
  });
});
