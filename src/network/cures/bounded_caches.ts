/**
 * Gossipsub's caches of known messages forget by time alone (here after two epochs, 13 minutes on mainnet), and so does
 * its record of deliveries (2 minutes): whoever sends fast enough fills the memory. Here they forget by number, too. What is
 * forgotten too early is judged again, and ignored as seen there.
 */
import type { SimpleTimeCacheInternals } from "../gossipsub_internals.ts";
import type { Cure } from "./cure.ts";

/** Some 250 B each. Ten times what comes in 13 minutes of ordinary gossip here (16 exits a block), and as much again. */
export const MAX_KNOWN_MESSAGES = 65_536;

export const boundedCachesCure: Cure = {
  name: "bounded_caches",
  install({ pubsub }) {
    for (const cache of [pubsub.seenCache, pubsub.fastMsgIdCache, pubsub.publishedMessageIds]) bound(cache);
    const { deliveryRecords } = pubsub.score;
    const ensureRecord = deliveryRecords.ensureRecord.bind(deliveryRecords);
    deliveryRecords.ensureRecord = (messageId) => {
      const record = ensureRecord(messageId);
      if (deliveryRecords.records.size > MAX_KNOWN_MESSAGES) {
        const oldest = deliveryRecords.queue.shift();
        if (oldest !== undefined) deliveryRecords.records.delete(oldest.msgId);
      }
      return record;
    };
  },
};

function bound(cache: SimpleTimeCacheInternals): void {
  const put = cache.put.bind(cache);
  cache.put = (key, value) => {
    const collided = put(key, value);
    if (cache.entries.size > MAX_KNOWN_MESSAGES) cache.entries.delete(cache.entries.keys().next().value as string);
    return collided;
  };
}
