import type { GossipsubInternals } from "../gossipsub_internals.ts";
import type { Guard } from "./guard.ts";

/** Lets the guard hear what gossipsub finds out about messages before they reach a validator. */
export function attachGuard(pubsub: GossipsubInternals, guard: Guard): void {
  const { score } = pubsub;
  const duplicateMessage = score.duplicateMessage.bind(score);
  score.duplicateMessage = (from, messageId, topic) => {
    guard.duplicate(from);
    duplicateMessage(from, messageId, topic);
  };
  const rejectInvalidMessage = score.rejectInvalidMessage.bind(score);
  score.rejectInvalidMessage = (from, topic) => {
    guard.meter(from).spend("rejected");
    rejectInvalidMessage(from, topic);
  };
  const handleIHave = pubsub.handleIHave.bind(pubsub);
  pubsub.handleIHave = (peerId, ihave) => {
    const iwant = handleIHave(peerId, ihave);
    guard.asked(
      peerId,
      iwant.reduce((sum, { messageIDs }) => sum + messageIDs.length, 0),
    );
    return iwant;
  };
}
