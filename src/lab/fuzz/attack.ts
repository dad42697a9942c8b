/** What an attack is, and what it may use while it runs. */
import type { MessageStream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Fixture } from "./fixture.ts";
import type { RawPeer, RawPeerOptions } from "./raw_peer.ts";

export const ATTACK_GROUPS = ["messages", "control", "below", "networks"] as const;
export type AttackGroup = (typeof ATTACK_GROUPS)[number];

export interface Attack {
  readonly name: string;
  readonly group: AttackGroup;
  /** One sentence: what the attacker does. */
  readonly what: string;
  /** Advisory, paper or measurement that it comes from. */
  readonly source: string;
  /** One sentence: what a sound target does. */
  readonly sound: string;
  /** Whether the target owes a hang-up: floods are gone within a heartbeat, and redials are refused. */
  readonly hangsUp: boolean;
  /**
   * Whom identities join, one after another, when the honest peers are there and before the attack's time begins: connecting is
   * no part of the attack. They are the context's `peers`. Of the addresses the first is the target's, the others are
   * its neighbours'.
   */
  identities?(addresses: readonly string[]): readonly string[];
  /** In a network of honest nodes, where the target is ours: the publisher is at one of them, the observer at the target. */
  readonly inNetwork?: true;
  /** Runs before the honest peers connect. */
  prepare?(context: AttackContext): Promise<void>;
  /** Returns when the attack is over: at the latest soon after `signal`. Throws for bugs only. */
  run(context: AttackContext): Promise<void>;
}

export interface Frame {
  /** As it goes on the stream. */
  readonly bytes: Uint8Array;
  /** Gossip messages in it. */
  readonly messages: number;
}

export interface AttackContext {
  readonly fixture: Fixture;
  /** Those of the attack's `identities` that the target took. */
  readonly peers: readonly RawPeer[];
  /** Multiaddr with peer id. */
  readonly targetAddress: string;
  readonly random: Random;
  readonly clock: Clock;
  /** Aborts when the attack's time is over. */
  readonly signal: AbortSignal;
  /** RPCs a second, over all identities. */
  readonly rate: number;
  /** A further valid operation, which no honest peer publishes; null where none is left. */
  takeValid(): Uint8Array | null;
  /** A new identity, not connected. */
  identity(options?: Omit<RawPeerOptions, "keySeed">): Promise<RawPeer>;
  /**
   * A new identity in gossip with the target, subscribed to the topic; null where the target refused it. Its time to the
   * hang-up counts from here on.
   */
  join(options?: Omit<RawPeerOptions, "keySeed">): Promise<RawPeer | null>;
  /** Hangs up, and frees what the identity takes: for attacks that use thousands. */
  retire(peer: RawPeer): Promise<void>;
  /**
   * Sends what `next` makes, at the rate, until the peer is gone or the time is over: on its gossip stream, or on another
   * channel of the peer's.
   */
  flood(peer: RawPeer, next: () => Frame, options?: { rate?: number; channel?: MessageStream }): Promise<void>;
  /** Sends one frame and counts it. */
  send(peer: RawPeer, frame: Frame): void;
  /** Counts what went out by other ways than `flood` and `send`. */
  count(sent: { rpcs?: number; messages?: number; bytes?: number }): void;
  /** A criterion of this attack's own has failed. */
  fault(sentence: string): void;
  /** The attack cannot be made here, and why. */
  skip(reason: string): void;
  /** Something for the report. */
  note(name: string, value: number | string | boolean): void;
}
