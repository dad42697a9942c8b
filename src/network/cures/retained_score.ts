/**
 * Gossipsub keeps the negative score of a peer that leaves (`retainScore`), then forgets it as soon as the peer comes
 * back: `score.addPeer` always begins anew, so a graylisted spammer need only redial. Here a record that is still
 * kept is taken up again, as go-libp2p-pubsub does. What is kept is bounded: gossipsub keeps each passer-by for
 * `retainScore`, half a day on mainnet.
 */
import type { Cure } from "./cure.ts";

/** Some 300 B each; the oldest of those who left is forgotten. */
export const MAX_SCORE_RECORDS = 4096;

export const retainedScoreCure: Cure = {
  name: "retained_score",
  install({ pubsub }) {
    const { score } = pubsub;
    const addPeer = score.addPeer.bind(score);
    score.addPeer = (peerId) => {
      const kept = score.peerStats.get(peerId);
      if (kept !== undefined) {
        kept.connected = true;
        return;
      }
      addPeer(peerId);
      if (score.peerStats.size > MAX_SCORE_RECORDS) forgetOldest();
    };
    function forgetOldest(): void {
      for (const [peerId, { connected, knownIPs }] of score.peerStats) {
        if (connected) continue;
        score.removeIPsForPeer(peerId, knownIPs);
        score.peerStats.delete(peerId);
        score.scoreCache.delete(peerId);
        return;
      }
    }
  },
};
