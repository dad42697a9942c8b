/**
 * Follows the contract along the consensus layer's chain of execution blocks, keeps the tree of its messages through
 * reorgs, and forms an operation for every exit message against the root of the block that first included it.
 * Each block's tree is checked against the root that its payload carries, so what is followed is what is proven.
 */
import { bytesToHex, type Hex } from "viem";
import { type Clock, sleep } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../spec/preset.ts";
import type { TriggeredExit } from "../spec/types.ts";
import type { MessageSent } from "../state/execution_engine.ts";
import type { FollowedContract } from "../validation/triggered_exit.ts";
import { leafOf } from "./contract.ts";
import { formTriggeredExit, isExitMessage, TRIGGERED_EXIT_TYPE } from "./form.ts";
import { MessageRanges } from "./message_ranges.ts";
import type { MessageSource, NumberedMessage } from "./message_source.ts";
import { MessageTree } from "./message_tree.ts";

const NO_PAYLOAD = new Uint8Array(0);

/**
 * Blocks kept back to the last finalized one, some 200 bytes each: a day of mainnet without finality. A reorg below
 * what is kept is read again from the finalized block.
 */
const MAX_FOLLOWED_BLOCKS = 8_192;

/** Operations formed and judged before others get their turn, 0.3 ms each: after a night away there are thousands. */
const TOLD_AT_ONCE = 64;

/** Waits between attempts on an execution client that does not serve; a new head tries at once. */
const MIN_RETRY_MS = 250;
const MAX_RETRY_MS = 8_000;

/** An execution block as the consensus chain knows it. */
export interface FollowedBlock {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** 32 bytes. */
  readonly parentHash: Uint8Array;
  readonly number: number;
  /** 32 bytes, from the payload. */
  readonly messageBusRoot: Uint8Array;
}

/** Where and by whom an operation's message was sent. */
export interface MessageOrigin {
  readonly index: bigint;
  readonly messageType: bigint;
  /** 20 bytes. */
  readonly sender: Uint8Array;
  /** 32 bytes. */
  readonly transactionHash: Uint8Array;
  readonly blockNumber: number;
}

export interface FollowerOptions {
  /** Height of the block that holds the contract's deployment. */
  readonly deployBlock: number;
}

export interface FollowerDeps {
  readonly source: MessageSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** An exit message made into its operation; the same bytes on every node, and again after a reorg or a restart. */
  readonly onOperation: (operation: TriggeredExit, origin: MessageOrigin) => void;
  /** A message that is no exit. */
  readonly onMessage?: (origin: MessageOrigin) => void;
  /** A block is followed: the contract holds `count` messages after it. */
  readonly onFollowed?: (block: FollowedBlock, count: number) => void;
}

interface Entry {
  readonly block: FollowedBlock;
  readonly hash: Hex;
  /** Messages after this block, once it is followed. */
  count: number;
}

/** A catch-up under way: the tree holds the messages below height `from`, to be believed once their root is the block's. */
interface Reading {
  readonly entry: Entry;
  from: number;
  /** Those whose operations may still be included. */
  readonly recent: NumberedMessage[];
}

export class MessageFollower implements FollowedContract {
  readonly #tree = new MessageTree();
  readonly #deps: FollowerDeps;
  readonly #ranges: MessageRanges;
  readonly #stopping = new AbortController();
  /** Ends the wait before the next attempt. */
  #wake = new AbortController();
  /** The chain, oldest first: `#followed` entries that the tree has, then those still to be read. */
  #entries: Entry[] = [];
  #followed = 0;
  /** The finalized prefix of the tree, and the height up to which it goes; never taken back. */
  #finalizedCount = 0;
  #finalizedNumber: number;
  #finalizedHash: Hex | null = null;
  /** Null when there is none, or what it read was wrong. */
  #reading: Reading | null = null;
  #running: Promise<void> | null = null;
  #failing = false;

  constructor(options: FollowerOptions, deps: FollowerDeps) {
    this.#deps = deps;
    this.#ranges = new MessageRanges(deps.source);
    this.#finalizedNumber = options.deployBlock - 1;
  }

  /** Messages up to the newest followed block, the head once `isCaughtUp`. The tree has more while catching up. */
  get treeCount(): number {
    return this.#entries[this.#followed - 1]?.count ?? this.#finalizedCount;
  }

  /** Whether the tree is that of the head last set. */
  get isCaughtUp(): boolean {
    return this.#followed === this.#entries.length;
  }

  get finalizedCount(): bigint {
    return BigInt(this.#finalizedCount);
  }

  leafAt(index: bigint): Uint8Array | null {
    return index >= 0n && index < BigInt(this.treeCount) ? this.#tree.leafAt(Number(index)) : null;
  }

  rootAt(count: bigint): Uint8Array | null {
    return count >= 0n && count <= BigInt(this.treeCount) ? this.#tree.rootAt(Number(count)) : null;
  }

  /** 33 siblings of 32 bytes; null where the tree has not got that far. */
  proofFor(index: bigint, count: bigint): Uint8Array[] | null {
    if (index < 0n || index >= count || count > BigInt(this.treeCount)) return null;
    return this.#tree.proofFor(Number(index), Number(count));
  }

  /** The same operation proven against the newest followed root; null where its message is not the contract's. */
  proveAgain(operation: TriggeredExit): TriggeredExit | null {
    const { messageIndex, messageSender } = operation.messageBusSignal;
    const message = { messageType: TRIGGERED_EXIT_TYPE, sender: messageSender, payload: operation.data.pubkey };
    const leaf = this.leafAt(messageIndex);
    if (leaf === null || bytesToHex(leaf) !== bytesToHex(leafOf(message))) return null;
    return formTriggeredExit({ ...message, index: messageIndex }, this.treeCount, this.#tree);
  }

  /**
   * The chain's head moved. `path` is the chain's blocks up to the new head, oldest first and without gaps, and begins
   * at or before the child of a block that an earlier path held: what came in since the last head is enough. A path that
   * connects to nothing makes the follower read everything since the finalized block again.
   */
  setHead(path: readonly FollowedBlock[]): void {
    const entries = path.map((block): Entry => ({ block, hash: bytesToHex(block.hash), count: 0 }));
    const first = path[0];
    if (first === undefined || this.#stopping.signal.aborted) return;
    // Two consensus blocks may hold the same execution block, one of them with a forged root.
    const shared = entries.findLastIndex(
      (entry) => this.#rootAtBlock(entry.hash) === bytesToHex(entry.block.messageBusRoot),
    );
    const ancestor = this.#positionOf(entries[shared]?.hash ?? bytesToHex(first.parentHash));
    this.#cut(ancestor + 1);
    const added = entries.slice(shared + 1);
    // Below the finalized block there is nothing to begin with: the tree cannot be taken back so far.
    this.#entries.push(...(ancestor >= 0 ? added : added.filter(({ block }) => block.number >= this.#finalizedNumber)));
    this.#drop(this.#entries.length - MAX_FOLLOWED_BLOCKS);
    this.#wake.abort();
    this.#running ??= this.#run();
  }

  /** The execution block of the finalized checkpoint; may come before that block is followed. */
  setFinalized(blockHash: Uint8Array): void {
    this.#finalizedHash = bytesToHex(blockHash);
    this.#finalize();
  }

  /** Ends the reading; resolves when the last call has returned. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
  }

  /** The root that the chain we know claims for a block. */
  #rootAtBlock(hash: Hex): Hex | null {
    const entry = this.#entries[this.#positionOf(hash)];
    return entry === undefined ? null : bytesToHex(entry.block.messageBusRoot);
  }

  #positionOf(hash: Hex): number {
    return this.#entries.findLastIndex((entry) => entry.hash === hash);
  }

  /** Keeps the first `length` entries, and the tree of those. */
  #cut(length: number): void {
    this.#entries.length = length;
    if (length >= this.#followed) return;
    this.#followed = length;
    this.#tree.truncate(this.treeCount);
  }

  /** Forgets the oldest `length` entries. */
  #drop(length: number): void {
    if (length <= 0) return;
    this.#entries.splice(0, length);
    this.#followed = Math.max(0, this.#followed - length);
  }

  #finalize(): void {
    const position = this.#finalizedHash === null ? -1 : this.#positionOf(this.#finalizedHash);
    const entry = this.#entries[position];
    if (entry === undefined || position >= this.#followed) return;
    this.#finalizedCount = entry.count;
    this.#finalizedNumber = entry.block.number;
    this.#drop(position);
  }

  async #run(): Promise<void> {
    let retryMs = MIN_RETRY_MS;
    while (!this.isCaughtUp && !this.#stopping.signal.aborted) {
      const entry = this.#entries[this.#followed] as Entry;
      this.#wake = new AbortController();
      try {
        await (this.#followed === 0 ? this.#catchUp(entry) : this.#follow(entry));
        this.#succeeded(entry);
        retryMs = MIN_RETRY_MS;
      } catch (error) {
        this.#failed(entry, error);
        await sleep(this.#deps.clock, retryMs, this.#wake.signal);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
    this.#running = null;
  }

  /** Reads one block on top of what is followed. */
  async #follow(entry: Entry): Promise<void> {
    const { number: blockNumber, hash: blockHash } = entry.block;
    const messages = await this.#deps.source.getMessages(blockHash);
    if (!this.#isNext(entry)) return;
    const numbered = messages.map((message) => ({ ...message, blockNumber, blockHash }));
    this.#append(numbered);
    await this.#complete(entry, numbered);
  }

  /** Reads everything from the finalized block to the oldest one of the path, by height. A failure loses nothing. */
  async #catchUp(entry: Entry): Promise<void> {
    if (this.#reading?.entry !== entry) {
      this.#tree.truncate(this.#finalizedCount);
      this.#reading = { entry, from: this.#finalizedNumber + 1, recent: [] };
    }
    const reading = this.#reading;
    // Roots of older blocks have left the vector, so nothing proven against them could be included.
    const oldest = entry.block.number - BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
    while (reading.from <= entry.block.number) {
      const { messages, to } = await this.#ranges.read(reading.from, entry.block.number);
      if (!this.#isNext(entry)) return;
      this.#append(messages);
      for (const message of messages)
        if (message.blockNumber > oldest) reading.recent.push(withoutForeignPayload(message));
      reading.from = to + 1;
    }
    await this.#complete(entry, reading.recent);
  }

  /** Whether the head has not moved away from the entry during a call, nor the follower been stopped. */
  #isNext(entry: Entry): boolean {
    return this.#entries[this.#followed] === entry && !this.#stopping.signal.aborted;
  }

  /** Puts leaves behind those of the blocks before. */
  #append(messages: readonly MessageSent[]): void {
    for (const message of messages) {
      if (message.index !== BigInt(this.#tree.count)) {
        const fields = { expected: String(this.#tree.count), found: String(message.index) };
        this.#forgetUnfollowed();
        throw new CodedError("MESSAGE_GAP", "The execution client's logs leave messages out", fields);
      }
      this.#tree.append(leafOf(message));
    }
  }

  /** Makes the entry followed, if the tree now has its root, and forms the operations of `messages`. */
  async #complete(entry: Entry, messages: readonly NumberedMessage[]): Promise<void> {
    const root = bytesToHex(this.#tree.rootAt(this.#tree.count));
    if (root !== bytesToHex(entry.block.messageBusRoot)) {
      this.#forgetUnfollowed();
      throw new CodedError("MESSAGE_ROOT_MISMATCH", "The messages of the block do not have the root that it claims", {
        root,
        claimed: bytesToHex(entry.block.messageBusRoot),
      });
    }
    this.#reading = null;
    entry.count = this.#tree.count;
    this.#followed += 1;
    this.#finalize();
    for (const [i, message] of messages.entries()) {
      if (i > 0 && i % TOLD_AT_ONCE === 0) await sleep(this.#deps.clock, 0);
      // A reorg has cut the entry off meanwhile: what its messages become, the other branch will tell.
      if (!this.#isFollowed(entry)) return;
      this.#tell(message, countAfterBlock(messages, i));
    }
    this.#deps.onFollowed?.(entry.block, entry.count);
  }

  /** Whether the tree still holds the entry's messages. */
  #isFollowed(entry: Entry): boolean {
    return !this.#stopping.signal.aborted && (this.#entries.includes(entry) || entry.count <= this.#finalizedCount);
  }

  #forgetUnfollowed(): void {
    this.#tree.truncate(this.treeCount);
    this.#reading = null;
  }

  #tell(message: NumberedMessage, count: number): void {
    const origin = originOf(message);
    if (isExitMessage(message)) this.#deps.onOperation(formTriggeredExit(message, count, this.#tree), origin);
    else this.#deps.onMessage?.(origin);
  }

  #succeeded(entry: Entry): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#deps.log.info({ blockNumber: entry.block.number }, "following the contract's messages again");
  }

  /** Says the first failure of a row; an execution client that is away has been logged by its own connection. */
  #failed(entry: Entry, error: unknown): void {
    const coded = error instanceof CodedError;
    if (coded && error.code === "EL_UNAVAILABLE") return;
    const fields = {
      blockNumber: entry.block.number,
      ...(coded ? { code: error.code, ...error.fields } : { err: error }),
    };
    if (!this.#failing) this.#deps.log.warn(fields, `cannot follow the contract's messages: ${errorMessage(error)}`);
    this.#failing = true;
  }
}

function originOf(message: NumberedMessage): MessageOrigin {
  const { index, messageType, sender, transactionHash, blockNumber } = message;
  return { index, messageType, sender, transactionHash, blockNumber };
}

/** A payload can be megabytes, and of messages that are no exits it is needed no more. */
function withoutForeignPayload(message: NumberedMessage): NumberedMessage {
  return isExitMessage(message) ? message : { ...message, payload: NO_PAYLOAD };
}

/** Messages in the contract at the end of the block that holds `messages[i]`. */
function countAfterBlock(messages: readonly NumberedMessage[], i: number): number {
  const { blockNumber } = messages[i] as NumberedMessage;
  let last = i;
  while (messages[last + 1]?.blockNumber === blockNumber) last += 1;
  return Number((messages[last] as NumberedMessage).index) + 1;
}
