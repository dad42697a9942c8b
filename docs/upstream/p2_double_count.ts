/**
 * gossipsub: with `asyncValidation` an accepted message counts as two first deliveries (P2).
 *
 * `reportMessageValidationResult` calls `score.deliverMessage`, then `forwardMessage`, which calls it again.
 *
 * Fix: leave the call to `forwardMessage`.
 */
import { TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { createTopicScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const params = createTopicScoreParams({
  topicWeight: 1,
  firstMessageDeliveriesWeight: 1,
  firstMessageDeliveriesCap: 10,
});
const node = await startNode({ asyncValidation: true, scoreParams: { topics: { [TOPIC]: params } } });
const peer = await startRaw();
await peer.connect(node);
const { pubsub } = node.services;
pubsub.addEventListener("gossipsub:message", ({ detail: { msgId, propagationSource } }) =>
  pubsub.reportMessageValidationResult(msgId, String(propagationSource), TopicValidatorResult.Accept),
);
peer.send({ messages: [{ topic: TOPIC, data: Buffer.from("x") }] });
const count = () => pubsub.dumpPeerScoreStats()[peer.id]?.topics[TOPIC]?.firstMessageDeliveries ?? 0;
await waitFor(() => count() > 0);
conclude(count() > 1.5, `first deliveries after one message: ${count()}`);
