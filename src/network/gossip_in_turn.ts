/**
 * Tells peers outside the mesh of what we have in turn, where gossipsub draws lots: 6 of them or a quarter at each heartbeat,
 * for the three heartbeats that a message is told of. Of 10 such peers each then misses 6 % of all messages, of 50 each misses 42 %,
 * which other neighbours make up for, if there are honest ones. A node whose mesh attackers filled before anybody else came has
 * none: in turn each peer hears of each message, by a third of them at a heartbeat.
 */
import type { Cure } from "./cures/cure.ts";

/** Whom to tell at each heartbeat, for one topic. */
export class GossipTurns {
  /** Heartbeats at which a message is told of. */
  readonly #period: number;
  /** The least to tell, as far as there are as many. */
  readonly #least: number;
  /** By peer, of the candidates of the last heartbeat: the heartbeat at which it was told, or the one before it came. */
  #toldAt = new Map<string, number>();
  #heartbeat = 0;

  constructor(period: number, least: number) {
    this.#period = period;
    this.#least = least;
  }

  /** Every candidate of `period` heartbeats in a row is among those of one of them. */
  next(candidates: Iterable<string>): Set<string> {
    const now = ++this.#heartbeat;
    const before = this.#toldAt;
    this.#toldAt = new Map(Array.from(candidates, (peerId) => [peerId, before.get(peerId) ?? now - 1]));
    const longestFirst = [...this.#toldAt].sort(([, a], [, b]) => a - b);
    const share = Math.max(this.#least, Math.ceil(longestFirst.length / this.#period));
    const told = longestFirst.filter(([, toldAt], i) => i < share || now - toldAt >= this.#period);
    for (const [peerId] of told) this.#toldAt.set(peerId, now);
    return new Set(told.map(([peerId]) => peerId));
  }
}

export const gossipInTurn: Cure = {
  name: "gossip_in_turn",
  install({ pubsub }) {
    const { opts } = pubsub;
    const { Dlazy, mcacheGossip } = opts;
    const emitGossip = pubsub.emitGossip.bind(pubsub);
    /** By topic, of those that there is anybody to tell of. */
    let turns = new Map<string, GossipTurns>();
    // All that it is given, it tells.
    opts.gossipFactor = 1;
    pubsub.emitGossip = (candidatesByTopic) => {
      const before = turns;
      turns = new Map(
        Array.from(candidatesByTopic.keys(), (topic) => [
          topic,
          before.get(topic) ?? new GossipTurns(mcacheGossip, Dlazy),
        ]),
      );
      emitGossip(
        new Map(Array.from(candidatesByTopic, ([topic, peers]) => [topic, turns.get(topic)?.next(peers) ?? peers])),
      );
    };
  },
};
