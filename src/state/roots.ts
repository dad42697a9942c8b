/**
 * The stored message bus roots of one state, for lookups in constant time.
 *
 * A payload overwrites exactly one slot, in turn. So the newest payload that brought a root decides how long it will
 * stand, and one number per root is enough: the root stands while that payload is among the last
 * BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, however many older slots repeat it.
 */
import type { Node } from "@chainsafe/persistent-merkle-tree";
import { bytesKey } from "../base/bytes.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../spec/preset.ts";
import type { CachedBeaconStateMessageBus } from "./beacon_state.ts";

/** The stored message bus roots of one state, as far as verified payloads brought them. */
export interface RootsView {
  /** Of the last payload in the state. */
  readonly latestBlockNumber: number;
  /** Whether the 32-byte root is stored and backed by a verified payload; an all-zero root never is. */
  has(root: Uint8Array): boolean;
  /**
   * How many further payloads leave the root standing in at least one slot: 0 means that the very next payload
   * evicts it, and a root that is not stored has -1. A root is lasting while this is ≥ GOSSIP_ROOT_MARGIN.
   * @spec specs/message-bus/validator.md#get_message_bus_root_expiry
   */
  payloadsUntilEvicted(root: Uint8Array): number;
}

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;

/**
 * Payloads that a chain of indices holds beside the map it shares with its ancestors. Bounds what each new block
 * copies (≤ 64 entries), and spreads the copy of the shared map (≤ WINDOW entries) over as many blocks.
 */
const RECENT_PAYLOADS_LIMIT = 64;

const ZERO_KEY = "\0".repeat(32);
const NO_SLOTS: ReadonlySet<number> = new Set();

/** An immutable value: `withPayload` makes the next block's, and this one stays good for forks and reorgs. */
export class RootsIndex implements RootsView {
  readonly latestBlockNumber: number;
  /** Newest block number by root, as of an ancestor; may hold roots that have been evicted since. */
  readonly #shared: ReadonlyMap<string, number>;
  /** The same for the payloads since. */
  readonly #recent: ReadonlyMap<string, number>;

  private constructor(latestBlockNumber: number, shared: ReadonlyMap<string, number>, recent: Map<string, number>) {
    this.latestBlockNumber = latestBlockNumber;
    this.#shared = shared;
    this.#recent = recent;
  }

  /**
   * @param roots the vector, 32 bytes a slot; all zero is no root.
   * @param latestBlockNumber of the last payload that was stored in it.
   * @param skippedSlots of the vector, whose roots are left out.
   */
  static fromVector(
    roots: readonly Uint8Array[],
    latestBlockNumber: number,
    skippedSlots: ReadonlySet<number> = NO_SLOTS,
  ): RootsIndex {
    const newest = new Map<string, number>();
    for (let age = WINDOW - 1; age >= 0; age--) {
      const blockNumber = latestBlockNumber - age;
      const slot = mod(blockNumber, WINDOW);
      const key = bytesKey(roots[slot] as Uint8Array);
      if (key !== ZERO_KEY && !skippedSlots.has(slot)) newest.set(key, blockNumber);
    }
    return new RootsIndex(latestBlockNumber, newest, new Map());
  }

  static readonly empty = new RootsIndex(0, new Map(), new Map());

  /** The index after the payload of the next block number. */
  withNextPayload(root: Uint8Array): RootsIndex {
    const blockNumber = this.latestBlockNumber + 1;
    let shared = this.#shared;
    let recent = new Map(this.#recent);
    const key = bytesKey(root);
    if (key !== ZERO_KEY) recent.set(key, blockNumber);
    if (recent.size > RECENT_PAYLOADS_LIMIT) {
      const merged = new Map<string, number>();
      for (const [oldKey, number] of shared) if (number > blockNumber - WINDOW) merged.set(oldKey, number);
      for (const [newKey, number] of recent) merged.set(newKey, number);
      shared = merged;
      recent = new Map();
    }
    return new RootsIndex(blockNumber, shared, recent);
  }

  has(root: Uint8Array): boolean {
    return this.payloadsUntilEvicted(root) >= 0;
  }

  payloadsUntilEvicted(root: Uint8Array): number {
    const key = bytesKey(root);
    const newest = this.#recent.get(key) ?? this.#shared.get(key);
    return newest === undefined ? -1 : Math.max(newest + WINDOW - 1 - this.latestBlockNumber, -1);
  }
}

/** Keyed by the vector's tree, which forks of a state share until a payload changes it, and freed with it. */
const indices = new WeakMap<Node, RootsIndex>();

/**
 * All roots that the state stores: what a block may use. Built from the vector once (3 ms for 8192 roots), then
 * carried on by `processMessageBusRoot`.
 */
export function getStoredRoots(state: CachedBeaconStateMessageBus): RootsIndex {
  const { blockNumber } = state.latestExecutionPayloadHeader;
  const vector = state.messageBusRoots;
  // Nodes can be read only when what was set is in the tree.
  vector.commit();
  const known = indices.get(vector.node);
  if (known?.latestBlockNumber === blockNumber) return known;
  const index = RootsIndex.fromVector(vector.getAllReadonly(), blockNumber);
  indices.set(vector.node, index);
  return index;
}

/**
 * The same without the slots that the given blocks wrote, by their block numbers on this state's branch: those that were
 * imported optimistically, and have not been verified since nor passed by finality. By slot, and not by who wrote it last:
 * an unverified payload may claim any number.
 * @spec specs/message-bus/p2p-interface.md#clear_unverified_message_bus_roots
 */
export function getVerifiedRoots(
  state: CachedBeaconStateMessageBus,
  unverifiedBlockNumbers: ReadonlySet<number>,
): RootsIndex {
  if (unverifiedBlockNumbers.size === 0) return getStoredRoots(state);
  const skippedSlots = new Set(Array.from(unverifiedBlockNumbers, (blockNumber) => mod(blockNumber, WINDOW)));
  const { blockNumber } = state.latestExecutionPayloadHeader;
  return RootsIndex.fromVector(state.messageBusRoots.getAllReadonly(), blockNumber, skippedSlots);
}

/**
 * Stores a payload's root in the slot of its block number, and the index of the result beside it.
 * @spec specs/message-bus/beacon-chain.md#process_message_bus_root
 */
export function processMessageBusRoot(
  state: Pick<CachedBeaconStateMessageBus, "messageBusRoots">,
  blockNumber: bigint,
  messageBusRoot: Uint8Array,
): void {
  const vector = state.messageBusRoots;
  vector.commit();
  const parent = indices.get(vector.node);
  vector.set(Number(blockNumber % BigInt(WINDOW)), messageBusRoot);
  vector.commit();
  // Where block numbers do not follow (an unverified payload may say anything) the index is built anew when asked for.
  if (parent !== undefined && BigInt(parent.latestBlockNumber) === blockNumber - 1n) {
    indices.set(vector.node, parent.withNextPayload(messageBusRoot));
  }
}

function mod(n: number, modulus: number): number {
  return ((n % modulus) + modulus) % modulus;
}
