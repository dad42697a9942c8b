/**
 * gossipsub: with `allowPublishToZeroTopicPeers` a message that went to nobody counts as seen, and cannot be sent again.
 *
 * `publish` puts the id into `seenCache` when there was nobody to send to. When peers come, publishing it again is
 * "PublishError.Duplicate", and a copy from a peer is not passed on. The same happens where all sends failed.
 *
 * Fix: mark as seen after the sends, if any went out.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode();
const data = Buffer.from("x");
const { recipients } = await node.services.pubsub.publish(TOPIC, data);
const peer = await startRaw();
await peer.connect(node);
await waitFor(() => node.services.pubsub.getMeshPeers(TOPIC).length === 1);
const outcome = await node.services.pubsub.publish(TOPIC, data).then(
  () => "sent",
  (error: Error) => error.message,
);
conclude(
  outcome === "PublishError.Duplicate",
  `recipients at first: ${recipients.length}; when a peer is there: ${outcome}`,
);
