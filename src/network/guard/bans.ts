/**
 * Who is refused, and until when. A peer is refused by its id; an address when several peers there were, and a block of
 * addresses when several addresses in it were: ids cost nothing, addresses do.
 */
import { blocksOf } from "./address_ranges.ts";

/** The first refusal; each further strike multiplies it. */
const FIRST_BAN_MS = 2 * 60_000;
const BAN_GROWTH = 4;
const MAX_BAN_MS = 24 * 3_600_000;
/** A strike is forgotten after this long without a new one, so that a peer that was put right begins anew. */
const STRIKE_DECAY_MS = 3_600_000;
/** Strikes that a key of each kind takes before it is refused. */
const PEER_THRESHOLD = 1;
const BLOCK_THRESHOLD = 3;
const ADDRESS_THRESHOLD = 1;
/** Of peers and blocks together, some 150 B each; the one that was struck longest ago is forgotten. */
export const MAX_BANS = 4096;

export interface BanRecord {
  readonly key: string;
  readonly strikes: number;
  /** Unix ms. */
  readonly struckMs: number;
  /** Unix ms; 0 where the strikes are too few. */
  readonly untilMs: number;
}

export class Bans {
  /** By key, the last struck at the end. */
  readonly #records = new Map<string, BanRecord>();

  /** Takes up what was stored; what has run out is left. */
  constructor(stored: readonly BanRecord[], nowMs: number) {
    for (const record of stored.slice(-MAX_BANS)) {
      if (strikesLeft(record, nowMs) > 0 || record.untilMs > nowMs) this.#records.set(record.key, record);
    }
  }

  get size(): number {
    return this.#records.size;
  }

  records(): BanRecord[] {
    return [...this.#records.values()];
  }

  /** `ip` is null where the address is shared, and nobody else there shall suffer. Gives how long the peer is refused. */
  strikePeer(peerId: string, ip: string | null, nowMs: number): number {
    const { untilMs } = this.#strike(peerId, PEER_THRESHOLD, nowMs);
    if (ip !== null) {
      const [narrow, wide] = blocksOf(ip);
      const wasRefused = this.#isRefused(narrow, nowMs);
      const { untilMs: blockUntilMs } = this.#strike(narrow, BLOCK_THRESHOLD, nowMs);
      if (!wasRefused && blockUntilMs > nowMs) this.#strike(wide, BLOCK_THRESHOLD, nowMs);
    }
    return untilMs - nowMs;
  }

  /** Without a peer that could be refused; gives how long the address is. */
  strikeAddress(ip: string, nowMs: number): number {
    const [narrow] = blocksOf(ip);
    return this.#strike(narrow, ADDRESS_THRESHOLD, nowMs).untilMs - nowMs;
  }

  isPeerRefused(peerId: string, nowMs: number): boolean {
    return this.#isRefused(peerId, nowMs);
  }

  isAddressRefused(ip: string, nowMs: number): boolean {
    return blocksOf(ip).some((block) => this.#isRefused(block, nowMs));
  }

  #isRefused(key: string, nowMs: number): boolean {
    return (this.#records.get(key)?.untilMs ?? 0) > nowMs;
  }

  #strike(key: string, threshold: number, nowMs: number): BanRecord {
    const last = this.#records.get(key);
    const strikes = (last === undefined ? 0 : strikesLeft(last, nowMs)) + 1;
    const excess = strikes - threshold;
    const banMs = excess < 0 ? 0 : Math.min(MAX_BAN_MS, FIRST_BAN_MS * BAN_GROWTH ** excess);
    const untilMs = Math.max(last?.untilMs ?? 0, banMs === 0 ? 0 : nowMs + banMs);
    const record = { key, strikes, struckMs: nowMs, untilMs };
    this.#records.delete(key);
    this.#records.set(key, record);
    if (this.#records.size > MAX_BANS) this.#records.delete(this.#records.keys().next().value as string);
    return record;
  }
}

/** Decay begins when the refusal ends. */
function strikesLeft({ strikes, struckMs, untilMs }: BanRecord, nowMs: number): number {
  const quietMs = Math.max(0, nowMs - Math.max(struckMs, untilMs));
  return Math.max(0, strikes - Math.floor(quietMs / STRIKE_DECAY_MS));
}
