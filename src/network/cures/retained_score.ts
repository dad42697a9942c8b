/**
 * Gossipsub keeps the negative score of a peer that leaves (`retainScore`), then forgets it as soon as the peer comes
 * back: `score.addPeer` always begins anew, so a graylisted spammer need only redial. Here a record that is still
 * kept is taken up again, as go-libp2p-pubsub does.
 */
import type { Cure } from "./cure.ts";

export const retainedScoreCure: Cure = {
  name: "retained_score",
  install({ pubsub }) {
    const { score } = pubsub;
    const addPeer = score.addPeer.bind(score);
    score.addPeer = (peerId) => {
      const kept = score.peerStats.get(peerId);
      if (kept === undefined) addPeer(peerId);
      else kept.connected = true;
    };
  },
};
