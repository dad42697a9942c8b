/** The hostile side of an attack: its identities, what they send, and how long they were suffered. */
import { type CancelTimer, type Clock, sleep } from "../../base/clock.ts";
import { seededRandom } from "../../base/random.ts";
import type { Attack, AttackContext, Frame } from "./attack.ts";
import { ByteSource } from "./byte_source.ts";
import type { Fixture } from "./fixture.ts";
import { RawPeer, type RawPeerOptions } from "./raw_peer.ts";

/** Valid operations that an attack may take for itself. */
export const ATTACK_SHARE = 96;
export const KEY_SEED_BYTES = 32;
/** A flood sends what is due in steps of this, and never makes up for more than the last of it. */
const STEP_MS = 4;
const MAX_BACKLOG_MS = 40;
/** A flood yields to the event loop after this many bytes: the peer's own frames must come through. */
const MAX_BURST_BYTES = 256 * 1024;
const CLOSE_GRACE_MS = 500;

export interface Attacker {
  readonly peerId: string;
  readonly keySeed: Uint8Array;
  /** Of its flood, where it floods; else of its joining. Monotonic, as the next. */
  startedMs: number;
  floods: boolean;
  /** Null while connected, and where it is us who left. */
  hungUpMs: number | null;
  /** When we left; null while here. */
  leftMs: number | null;
}

export interface Tally {
  identities: number;
  rpcs: number;
  messages: number;
  bytes: number;
  /** The longest that this process stood still while it flooded: above some tens, the machine had more to do. */
  stallMs: number;
}

export interface AttackersOptions {
  readonly fixture: Fixture;
  /** What the attack may take for itself; emptied from the end. */
  readonly valid: Uint8Array[];
  readonly targetAddress: string;
  readonly seed: number;
  /** RPCs a second. */
  readonly rate: number;
}

/** One attack's: made before it, stopped after it. */
export class Attackers {
  readonly context: AttackContext;
  readonly random: ByteSource;
  readonly tally: Tally = { identities: 0, rpcs: 0, messages: 0, bytes: 0, stallMs: 0 };
  /** In order of joining, the retired too. */
  readonly all: Attacker[] = [];
  readonly faults: string[] = [];
  readonly notes: Record<string, number | string | boolean> = {};
  /** Why the attack could not be made; null where it was. */
  skipped: string | null = null;
  readonly #options: AttackersOptions;
  readonly #clock: Clock;
  readonly #over = new AbortController();
  /** All identities that were not retired, and those of them that joined. */
  readonly #peers = new Set<RawPeer>();
  readonly #attackerOf = new Map<RawPeer, Attacker>();
  readonly #joined: RawPeer[] = [];
  /** Null before the attack's time. */
  #durationMs: number | null = null;
  #cancelTimer: CancelTimer = () => {};

  constructor(attack: Attack, options: AttackersOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.random = new ByteSource(seededRandom(hashSeed(attack.name, options.seed)));
    this.context = {
      fixture: options.fixture,
      peers: this.#joined,
      targetAddress: options.targetAddress,
      random: this.random,
      clock,
      signal: this.#over.signal,
      rate: options.rate,
      takeValid: () => options.valid.pop() ?? null,
      identity: async (peerOptions) => (await this.#create(peerOptions)).peer,
      join: (peerOptions) => this.#join(peerOptions),
      retire: (peer) => this.#retire(peer),
      flood: (peer, next, flood) => this.#flood(peer, next, flood),
      send: (peer, frame) => this.#send(peer, frame),
      count: (sent) => this.#count(sent),
      fault: (sentence) => void this.faults.push(sentence),
      note: (name, value) => {
        this.notes[name] = value;
      },
      skip: (reason) => {
        this.skipped = reason;
      },
    };
  }

  /** Joins the peers at these addresses, one after another; they are the context's `peers`. */
  async joinAll(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      const peer = await this.#join({}, address);
      if (peer !== null) this.#joined.push(peer);
    }
  }

  /**
   * The attack's time begins; its signal aborts at the end. Where nobody has joined, it begins anew with the first who does: that
   * takes seconds on a busy machine.
   */
  begin(durationMs: number): void {
    if (this.#over.signal.aborted) return;
    this.#durationMs = durationMs;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(durationMs, () => this.#over.abort());
  }

  /** The attack's time is over. */
  end(): void {
    this.#cancelTimer();
    this.#over.abort();
  }

  /** Ends it, and hangs up. May be called twice. */
  async stop(): Promise<void> {
    this.end();
    await Promise.all(Array.from(this.#peers, (peer) => peer.stop()));
  }

  #count({ rpcs = 0, messages = 0, bytes = 0 }: Partial<Tally>): void {
    this.tally.rpcs += rpcs;
    this.tally.messages += messages;
    this.tally.bytes += bytes;
  }

  async #create(options: Omit<RawPeerOptions, "keySeed"> = {}) {
    const keySeed = this.random.bytes(KEY_SEED_BYTES);
    const peer = await RawPeer.create({ ...options, keySeed }, this.#clock);
    this.#peers.add(peer);
    this.tally.identities++;
    return { peer, keySeed };
  }

  async #join(
    options?: Omit<RawPeerOptions, "keySeed">,
    address = this.#options.targetAddress,
  ): Promise<RawPeer | null> {
    const durationMs = this.all.length === 0 ? this.#durationMs : null;
    if (durationMs !== null) this.#cancelTimer();
    const { peer, keySeed } = await this.#create(options);
    try {
      await peer.connect(address, this.#over.signal);
    } catch {
      await this.#retire(peer);
      return null;
    } finally {
      if (durationMs !== null) this.begin(durationMs);
    }
    const attacker: Attacker = {
      peerId: peer.peerId,
      keySeed,
      startedMs: this.#clock.monotonicMs(),
      floods: false,
      hungUpMs: null,
      leftMs: null,
    };
    this.all.push(attacker);
    this.#attackerOf.set(peer, attacker);
    peer.connection.addEventListener("close", () => {
      if (!peer.isLeaving) attacker.hungUpMs = this.#clock.monotonicMs();
    });
    peer.send({ subscriptions: [{ topic: this.#options.fixture.topic, subscribe: true }] });
    return peer;
  }

  async #retire(peer: RawPeer): Promise<void> {
    const attacker = this.#attackerOf.get(peer);
    if (attacker !== undefined) attacker.leftMs = this.#clock.monotonicMs();
    this.#peers.delete(peer);
    this.#attackerOf.delete(peer);
    await peer.stop();
  }

  #send(peer: RawPeer, { bytes, messages }: Frame): void {
    if (!peer.canSendOn()) return;
    this.#count({ rpcs: 1, messages, bytes: bytes.length });
    peer.sendBytes(bytes);
  }

  async #flood(...[peer, next, { rate = this.#options.rate, channel } = {}]: Parameters<AttackContext["flood"]>) {
    const clock = this.#clock;
    const over = this.#over.signal;
    let lastMs = clock.monotonicMs();
    const attacker = this.#attackerOf.get(peer);
    if (attacker !== undefined && !attacker.floods) Object.assign(attacker, { floods: true, startedMs: lastMs });
    let due = 1;
    while (peer.canSendOn(channel) && !over.aborted) {
      const nowMs = clock.monotonicMs();
      due = Math.min(due + (rate * (nowMs - lastMs)) / 1000, 1 + (rate * MAX_BACKLOG_MS) / 1000);
      lastMs = nowMs;
      const batch: Uint8Array[] = [];
      let batchBytes = 0;
      for (; due >= 1 && batchBytes < MAX_BURST_BYTES; due--) {
        const { bytes, messages } = next();
        batch.push(bytes);
        batchBytes += bytes.length;
        this.#count({ rpcs: 1, messages, bytes: bytes.length });
      }
      if (batch.length > 0 && !peer.sendBytes(Buffer.concat(batch, batchBytes), channel)) {
        await peer.drained(over, channel);
      }
      const restMs = clock.monotonicMs();
      await sleep(clock, STEP_MS, over);
      this.tally.stallMs = Math.max(this.tally.stallMs, clock.monotonicMs() - restMs - STEP_MS);
    }
    // A stream may end a moment before its connection.
    if (!over.aborted) await peer.closed(AbortSignal.any([over, AbortSignal.timeout(CLOSE_GRACE_MS)]));
  }
}

/** FNV-1a: attacks of one run must not share their bytes. */
function hashSeed(name: string, seed: number): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n ^ BigInt(seed);
  for (const byte of Buffer.from(name)) hash = ((hash ^ BigInt(byte)) * 0x100_0000_01b3n) & 0xffff_ffff_ffff_ffffn;
  return hash;
}
