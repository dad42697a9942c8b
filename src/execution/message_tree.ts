/**
 * The contract's tree of messages, kept whole: every complete node of every level, 64 bytes a message in all. So a
 * root or a proof at any count that the tree has had costs at most 64 hashes, whatever its size.
 * @spec specs/message-bus/execution-layer.md#message-tree
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { MESSAGE_BUS_CAPACITY } from "../spec/constants.ts";
import { MESSAGE_BUS_CONTRACT_TREE_DEPTH } from "../spec/preset.ts";

const NODE_SIZE_BYTES = 32;

/** Nodes that a level has room for at first; it doubles when full. */
const INITIAL_LEVEL_NODES = 64;

/**
 * ZERO_HASHES[h]: root of an empty subtree of height h.
 * @spec specs/message-bus/execution-layer.md#get_zero_hashes
 */
const ZERO_HASHES: readonly Uint8Array[] = zeroHashes();

function zeroHashes(): Uint8Array[] {
  let last: Uint8Array = new Uint8Array(NODE_SIZE_BYTES);
  const hashes = [last];
  for (let height = 1; height <= MESSAGE_BUS_CONTRACT_TREE_DEPTH; height++) {
    last = hashPair(last, last);
    hashes.push(last);
  }
  return hashes;
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256.create().update(left).update(right).digest();
}

/**
 * The last sibling of a proof: the count as a little-endian uint64, then 24 zero bytes.
 * @spec specs/message-bus/execution-layer.md#get_count_chunk
 */
function countChunk(count: number): Uint8Array {
  const chunk = new Uint8Array(NODE_SIZE_BYTES);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(count), true);
  return chunk;
}

/**
 * Counts and indices are below 2**32, so exact as numbers. Out-of-range arguments are bugs: `RangeError`.
 * @spec specs/message-bus/execution-layer.md#get_empty_message_bus_tree
 */
export class MessageTree {
  /** #levels[h] holds the roots of the complete subtrees of height h, from the left. */
  readonly #levels: Uint8Array[] = Array.from({ length: MESSAGE_BUS_CONTRACT_TREE_DEPTH }, () => new Uint8Array(0));
  #count = 0;

  /** Messages in the tree. */
  get count(): number {
    return this.#count;
  }

  /**
   * Appends a leaf of 32 bytes.
   * @spec specs/message-bus/execution-layer.md#append_message
   */
  append(leaf: Uint8Array): void {
    if (leaf.length !== NODE_SIZE_BYTES) throw new RangeError(`a leaf has 32 bytes, not ${leaf.length}`);
    // One short of the capacity, as in the contract.
    if (BigInt(this.#count) >= MESSAGE_BUS_CAPACITY - 1n) throw new RangeError("the message tree is full");
    let node = leaf;
    let position = this.#count;
    let level = 0;
    this.#write(level, position, node);
    while (position % 2 === 1) {
      node = hashPair(this.#read(level, position - 1), node);
      position = (position - 1) / 2;
      level += 1;
      this.#write(level, position, node);
    }
    this.#count += 1;
  }

  /** Forgets all messages from `count` on. */
  truncate(count: number): void {
    this.#checkCount(count);
    // Nodes past the new count are never read, and written again before they are complete again.
    this.#count = count;
  }

  /** The leaf of one message: 32 bytes. */
  leafAt(index: number): Uint8Array {
    this.#checkIndex(index, this.#count);
    return this.#read(0, index).slice();
  }

  /**
   * What `getMessageRoot()` was when the contract held `count` messages: 32 bytes.
   * @spec specs/message-bus/execution-layer.md#get_message_root
   * @spec specs/message-bus/execution-layer.md#compute_message_root
   */
  rootAt(count: number): Uint8Array {
    this.#checkCount(count);
    return hashPair(this.#subtreeRoot(MESSAGE_BUS_CONTRACT_TREE_DEPTH, 0, count), countChunk(count));
  }

  /**
   * The 33 siblings that lead from leaf `index` to `rootAt(count)`, from the leaf up, the count chunk last.
   * @spec specs/message-bus/execution-layer.md#compute_message_proof
   */
  proofFor(index: number, count: number): Uint8Array[] {
    this.#checkCount(count);
    this.#checkIndex(index, count);
    const proof: Uint8Array[] = [];
    let position = index;
    for (let level = 0; level < MESSAGE_BUS_CONTRACT_TREE_DEPTH; level++) {
      const sibling = position % 2 === 0 ? position + 1 : position - 1;
      proof.push(this.#subtreeRoot(level, sibling, count).slice());
      position = Math.floor(position / 2);
    }
    proof.push(countChunk(count));
    return proof;
  }

  /**
   * Root of subtree `position` of height `level` as it was at `count`. At most one child is cut by the count.
   * @spec specs/message-bus/execution-layer.md#get_tree_root
   */
  #subtreeRoot(level: number, position: number, count: number): Uint8Array {
    const size = 2 ** level;
    const first = position * size;
    if (first >= count) return ZERO_HASHES[level] as Uint8Array;
    if (first + size <= count) return this.#read(level, position);
    return hashPair(
      this.#subtreeRoot(level - 1, position * 2, count),
      this.#subtreeRoot(level - 1, position * 2 + 1, count),
    );
  }

  /** A view that the next write may change: copy what leaves this file. */
  #read(level: number, position: number): Uint8Array {
    const start = position * NODE_SIZE_BYTES;
    return (this.#levels[level] as Uint8Array).subarray(start, start + NODE_SIZE_BYTES);
  }

  #write(level: number, position: number, node: Uint8Array): void {
    let nodes = this.#levels[level] as Uint8Array;
    const start = position * NODE_SIZE_BYTES;
    if (start >= nodes.length) {
      const grown = new Uint8Array(Math.max(nodes.length * 2, INITIAL_LEVEL_NODES * NODE_SIZE_BYTES));
      grown.set(nodes);
      this.#levels[level] = nodes = grown;
    }
    nodes.set(node, start);
  }

  #checkCount(count: number): void {
    if (!Number.isInteger(count) || count < 0 || count > this.#count) {
      throw new RangeError(`count ${count} is not between 0 and ${this.#count}`);
    }
  }

  #checkIndex(index: number, count: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      throw new RangeError(`message ${index} is not below the count ${count}`);
    }
  }
}
