/**
 * An accept is counted as two first deliveries (P2): `reportMessageValidationResult` calls `score.deliverMessage`, then
 * `forwardMessage` calls it again for the same message. The two calls follow each other without a pause, so the
 * second is known by its id.
 */
import type { Cure } from "./cure.ts";

export const p2DoubleCountCure: Cure = {
  name: "p2_double_count",
  install({ pubsub }) {
    const { score } = pubsub;
    const deliverMessage = score.deliverMessage.bind(score);
    let lastDelivered: string | null = null;
    score.deliverMessage = (from, messageId, topic) => {
      if (messageId === lastDelivered) return;
      lastDelivered = messageId;
      deliverMessage(from, messageId, topic);
    };
  },
};
