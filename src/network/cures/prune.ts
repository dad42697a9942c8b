/**
 * Gossipsub's `handlePrune` returns at the first topic that it does not know, so a peer that leaves several topics, one
 * of them unknown to us, stays in our meshes of the others. And it obeys any backoff: a uint64 of seconds keeps the
 * entry for good, long after the peer has left. Here unknown topics are passed over, and backoffs are cut and counted.
 */
import type { Cure } from "./cure.ts";

/** The usual one is a minute. @spec libp2p/specs pubsub/gossipsub/gossipsub-v1.1.md#prune-backoff-and-peer-exchange */
const MAX_BACKOFF_S = 3600;
/** A topic's, some 100 B each; far more than connected peers, so that the oldest is of one who left. */
export const MAX_BACKOFFS = 1024;

export const pruneCure: Cure = {
  name: "prune",
  install({ pubsub }) {
    const handlePrune = pubsub.handlePrune.bind(pubsub);
    pubsub.handlePrune = (peerId, prunes) =>
      handlePrune(
        peerId,
        prunes
          .filter(({ topicID }) => topicID !== undefined && pubsub.mesh.has(topicID))
          .map((prune) =>
            prune.backoff === undefined ? prune : { ...prune, backoff: Math.min(prune.backoff, MAX_BACKOFF_S) },
          ),
      );
    const doAddBackoff = pubsub.doAddBackoff.bind(pubsub);
    pubsub.doAddBackoff = (peerId, topic, intervalMs) => {
      doAddBackoff(peerId, topic, intervalMs);
      const backoffs = pubsub.backoff.get(topic);
      if (backoffs !== undefined && backoffs.size > MAX_BACKOFFS)
        backoffs.delete(backoffs.keys().next().value as string);
    };
  },
};
