/**
 * Tells each peer outside the mesh of each message, once, at the first heartbeat after it. Gossipsub draws lots instead: 6 of
 * them or a quarter hear at a heartbeat of all that came within three. Of 10 such peers each then misses 6 % of all messages, of
 * 50 each misses 42 %, which other neighbours make up for, if there are honest ones: a node whose mesh attackers filled before anybody else
 * came has none. As many ids are sent as where the share were a third, and no message comes later than a heartbeat.
 */
import type { Cure } from "./cures/cure.ts";
import { messageIdToString } from "./message_id.ts";

export interface Advert {
  readonly peers: ReadonlySet<string>;
  readonly messageIds: Uint8Array[];
}

/** Whom to tell of what at each heartbeat, for one topic. */
export class Adverts {
  /** Of the last heartbeat, as the next: bounded by gossipsub's cache and by its peers. */
  #messageIds: ReadonlySet<string> = new Set();
  #peers: ReadonlySet<string> = new Set();

  /**
   * @param messageIds of the last heartbeats, of messages that were accepted: one that waited for its verdict may be among them later
   * than one that came after it.
   */
  next(peers: ReadonlySet<string>, messageIds: Uint8Array[]): Advert[] {
    const [knownIds, knownPeers] = [this.#messageIds, this.#peers];
    const keys = messageIds.map(messageIdToString);
    this.#messageIds = new Set(keys);
    this.#peers = new Set(peers);
    const fresh = messageIds.filter((_, i) => !knownIds.has(keys[i] as string));
    const [stayed, came]: [Set<string>, Set<string>] = [new Set(), new Set()];
    for (const peerId of peers) (knownPeers.has(peerId) ? stayed : came).add(peerId);
    return [
      { peers: stayed, messageIds: fresh },
      { peers: came, messageIds },
    ].filter((advert) => advert.peers.size > 0 && advert.messageIds.length > 0);
  }
}

export const fullAdverts: Cure = {
  name: "full_adverts",
  install({ pubsub }) {
    /** By topic, of those that there was anybody to tell of. */
    let topics = new Map<string, Adverts>();
    const emitGossip = pubsub.emitGossip.bind(pubsub);
    const doEmitGossip = pubsub.doEmitGossip.bind(pubsub);
    // Whom it is given, it tells.
    pubsub.opts.gossipFactor = 1;
    pubsub.emitGossip = (candidatesByTopic) => {
      const before = topics;
      // Where all are in the mesh, nobody is told: a node that relays 500 messages a second spent 6 % of its time on their ids.
      const hearing = [...candidatesByTopic].filter(([, candidates]) => candidates.size > 0);
      topics = new Map(hearing.map(([topic]) => [topic, before.get(topic) ?? new Adverts()]));
      emitGossip(new Map(hearing));
    };
    pubsub.doEmitGossip = (topic, candidates, messageIds) => {
      for (const advert of topics.get(topic)?.next(candidates, messageIds) ?? []) {
        doEmitGossip(topic, advert.peers, advert.messageIds);
      }
    };
  },
};
