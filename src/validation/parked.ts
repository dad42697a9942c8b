/** Exits whose root the node does not know yet: forged, or brought by a peer that is a block ahead. */
import { bytesKey } from "../base/bytes.ts";
import type { OperationSource } from "./verdict.ts";

/**
 * Exits parked at once, 1.9 kB each: 8 MB. When full, the newest of who brought most makes room for those who brought
 * less, so that a flood of one takes nobody else's place, and what it parked first is still there to expire.
 */
export const PARKED_LIMIT = 4_096;

/**
 * Of one peer: more than the messages that one execution block can hold, which an honest peer that is a block ahead
 * brings at once. What comes on top is not kept.
 */
export const PARKED_PER_PEER_LIMIT = 1_024;

/**
 * Slots after which a root is given up. A block that an honest peer built on arrives within its slot, and within the
 * next where its parent must be fetched first; as many again for an execution client that verifies late.
 */
export const PARKED_LIFETIME_SLOTS = 4;

/** Roots of blocks on any branch that are remembered, 100 bytes each: 8 branches of 32 blocks. The oldest is forgotten. */
const BLOCK_ROOTS_LIMIT = 256;

export interface ParkedExit {
  /** 1132 bytes. */
  readonly ssz: Uint8Array;
  /** The computed root that it waits for, 32 bytes. */
  readonly root: Uint8Array;
  readonly source: OperationSource;
  /** The peer that brought it; null for this node and its users. */
  readonly peerId: string | null;
  /** By the monotonic clock. */
  readonly expiresMs: number;
}

/** `KEPT`: the same validator's exit with the same root waits already, and one is enough. */
export type ParkOutcome =
  | { readonly outcome: "PARKED"; readonly exit: ParkedExit; readonly evicted: ParkedExit | null }
  | { readonly outcome: "KEPT" | "FULL" };

export interface ExpiredExit {
  readonly exit: ParkedExit;
  /** No block on any branch brought the root, as far as this node knows: no honest peer had a reason to send it. */
  readonly isUnproven: boolean;
}

/** The pubkey ends the operation. */
const PUBKEY_SIZE_BYTES = 48;

/** @spec specs/message-bus/p2p-interface.md#parking */
export class ParkedExits {
  /** In order of arrival, which is that of expiry. */
  readonly #exits = new Set<ParkedExit>();
  /** By root, then by pubkey: thousands may wait for one root, and each newcomer looks for its like. */
  readonly #byRoot = new Map<string, Map<string, ParkedExit>>();
  readonly #byPeer = new Map<string | null, Set<ParkedExit>>();
  readonly #blockRoots = new Set<string>();
  readonly #limit: number;
  readonly #perPeerLimit: number;

  constructor(limit = PARKED_LIMIT, perPeerLimit = PARKED_PER_PEER_LIMIT) {
    this.#limit = limit;
    this.#perPeerLimit = perPeerLimit;
  }

  get size(): number {
    return this.#exits.size;
  }

  /** Whether neither a block brought the root, nor an exit that waits is proven against it. */
  isNewRoot(root: Uint8Array): boolean {
    const key = bytesKey(root);
    return !this.#blockRoots.has(key) && !this.#byRoot.has(key);
  }

  /** Keeps copies: the bytes may be views into something larger. */
  park({ ssz, root, ...rest }: ParkedExit): ParkOutcome {
    const { peerId } = rest;
    const key = bytesKey(root);
    if (this.#byRoot.get(key)?.has(pubkeyKeyOf(ssz)) === true) return { outcome: "KEPT" };
    const ownCount = this.#byPeer.get(peerId)?.size ?? 0;
    if (ownCount >= this.#perPeerLimit) return { outcome: "FULL" };
    let evicted: ParkedExit | null = null;
    if (this.#exits.size >= this.#limit) {
      evicted = this.#newestOfHeaviest(ownCount);
      if (evicted === null) return { outcome: "FULL" };
      this.#remove(evicted);
    }
    // Both in one buffer, which saves 110 bytes.
    const bytes = new Uint8Array(ssz.length + root.length);
    bytes.set(ssz);
    bytes.set(root, ssz.length);
    const exit = { ...rest, ssz: bytes.subarray(0, ssz.length), root: bytes.subarray(ssz.length) };
    this.#exits.add(exit);
    const ofRoot = this.#byRoot.get(key) ?? new Map<string, ParkedExit>();
    this.#byRoot.set(key, ofRoot.set(pubkeyKeyOf(ssz), exit));
    const ofPeer = this.#byPeer.get(peerId) ?? new Set<ParkedExit>();
    this.#byPeer.set(peerId, ofPeer.add(exit));
    return { outcome: "PARKED", exit, evicted };
  }

  /** A block on any branch, verified or not, has brought this root: whoever proves against it did not forge. */
  onBlockRoot(root: Uint8Array): void {
    this.#blockRoots.add(bytesKey(root));
    const oldest = this.#blockRoots.values().next();
    if (this.#blockRoots.size > BLOCK_ROOTS_LIMIT && !oldest.done) this.#blockRoots.delete(oldest.value);
  }

  /** Takes out what waited for roots that are stored now, oldest first within a root. */
  release(isStored: (root: Uint8Array) => boolean): ParkedExit[] {
    const released: ParkedExit[] = [];
    for (const exits of this.#byRoot.values()) {
      const [first] = exits.values();
      if (first !== undefined && isStored(first.root)) released.push(...exits.values());
    }
    for (const exit of released) this.#remove(exit);
    return released;
  }

  /** Takes out what has waited too long. */
  expire(nowMs: number): ExpiredExit[] {
    const expired: ExpiredExit[] = [];
    for (const exit of this.#exits) {
      if (exit.expiresMs > nowMs) break;
      this.#remove(exit);
      expired.push({ exit, isUnproven: !this.#blockRoots.has(bytesKey(exit.root)) });
    }
    return expired;
  }

  /** Null where nobody has more than the one who asks for room. */
  #newestOfHeaviest(ownCount: number): ParkedExit | null {
    let heaviest: ReadonlySet<ParkedExit> | null = null;
    for (const exits of this.#byPeer.values()) {
      if (exits.size > (heaviest?.size ?? ownCount)) heaviest = exits;
    }
    return heaviest === null ? null : ([...heaviest].at(-1) ?? null);
  }

  #remove(exit: ParkedExit): void {
    this.#exits.delete(exit);
    const key = bytesKey(exit.root);
    const ofRoot = this.#byRoot.get(key);
    ofRoot?.delete(pubkeyKeyOf(exit.ssz));
    if (ofRoot?.size === 0) this.#byRoot.delete(key);
    const ofPeer = this.#byPeer.get(exit.peerId);
    ofPeer?.delete(exit);
    if (ofPeer?.size === 0) this.#byPeer.delete(exit.peerId);
  }
}

function pubkeyKeyOf(ssz: Uint8Array): string {
  return bytesKey(ssz.subarray(ssz.length - PUBKEY_SIZE_BYTES));
}
