/**
 * gossipsub: the caches of known messages, and the records of deliveries, are bounded by time alone.
 *
 * `seenCache`, `fastMsgIdCache` (`seenTTL`) and `score.deliveryRecords` (2 minutes) take an entry for each message that decodes,
 * valid or not, before any validation: at 10,000 a second a node that keeps ids for two epochs of Ethereum holds 7.7 million.
 *
 * Fix: an option for the largest number of entries; the oldest goes first.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const COUNT = 100_000;
const node = await startNode({ asyncValidation: true, seenTTL: 768_000 });
const peer = await startRaw();
await peer.connect(node);
for (let i = 0; i < COUNT; i += 1000) {
  const messages = Array.from({ length: 1000 }, (_, j) => ({ topic: TOPIC, data: Buffer.from(`${i + j}`) }));
  peer.send({ messages });
}
const { seenCache } = node.services.pubsub as unknown as { seenCache: { size: number } };
await waitFor(() => seenCache.size === COUNT, 15_000);
conclude(seenCache.size === COUNT, `${seenCache.size} entries of one peer's invalid messages, kept for 768 s`);
