/** A block tree in memory; an execution client that serves one chain of it and fails at will. */
import { CodedError } from "../../src/base/errors.ts";
import type { Random } from "../../src/base/random.ts";
import { leafOf } from "../../src/execution/contract.ts";
import type { FollowedBlock } from "../../src/execution/follower.ts";
import type { MessageSource, NumberedMessage } from "../../src/execution/message_source.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";

interface SimulatedBlock extends FollowedBlock {
  readonly parent: SimulatedBlock | null;
  readonly messages: NumberedMessage[];
  readonly leaves: Uint8Array[];
}

export class SimulatedChain implements MessageSource {
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
