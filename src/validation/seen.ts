import { bytesKey } from "../base/bytes.ts";
import { GOSSIP_ROOT_MARGIN } from "../spec/preset.ts";
import type { RootsView } from "../state/roots.ts";

/**
 * Validators whose valid exit is remembered, 250 bytes each: 16 MB, or the exits of 4,096 full blocks, 13 hours of
 * mainnet. Beyond it the longest remembered goes: its exit would be forwarded once more.
 */
export const SEEN_EXITS_LIMIT = 65_536;

/**
 * Whether at least GOSSIP_ROOT_MARGIN further payloads leave the root standing.
 * @spec specs/message-bus/p2p-interface.md#is_lasting_message_bus_root
 */
export function isLasting(root: Uint8Array, headRoots: RootsView): boolean {
  return headRoots.payloadsUntilEvicted(root) >= GOSSIP_ROOT_MARGIN;
}

/**
 * The valid exits that gossip has brought, by pubkey, each with the root that it was proven against. By validator and
 * not by message: one message has a valid proof for each stored root, all with different gossip ids.
 * @spec specs/message-bus/p2p-interface.md#modified-seen
 */
export class SeenExits {
  /** Pubkeys as strings of 48 latin1 characters. */
  readonly #roots = new Map<string, Uint8Array>();
  readonly #limit: number;

  constructor(limit = SEEN_EXITS_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#roots.size;
  }

  /** Whether an exit of the validator was seen that still can be packed for long enough: a better one is let through. */
  has(pubkey: Uint8Array, headRoots: RootsView): boolean {
    const root = this.#roots.get(bytesKey(pubkey));
    return root !== undefined && isLasting(root, headRoots);
  }

  /** @param root 32 bytes that nobody writes to any more. */
  add(pubkey: Uint8Array, root: Uint8Array): void {
    const key = bytesKey(pubkey);
    this.#roots.delete(key);
    this.#roots.set(key, root);
    if (this.#roots.size <= this.#limit) return;
    const oldest = this.#roots.keys().next();
    if (!oldest.done) this.#roots.delete(oldest.value);
  }

  /** Forgets the exits whose roots no longer last. */
  prune(headRoots: RootsView): void {
    for (const [key, root] of this.#roots) {
      if (!isLasting(root, headRoots)) this.#roots.delete(key);
    }
  }
}
