/**
 * gossipsub: a peer is rid of a bad score by dialing again.
 *
 * `score.removePeer` keeps negative scores (`retainScore`), but `score.addPeer` always sets new statistics. go-libp2p-pubsub
 * takes the kept ones up again.
 *
 * Fix: in `addPeer`, `if (peerStats.has(id)) { peerStats.get(id).connected = true; return }`.
 */
import { conclude, startNode, startRaw, waitFor } from "./lab.ts";

const node = await startNode({
  scoreParams: { behaviourPenaltyWeight: -10, behaviourPenaltyThreshold: 0, retainScore: 60_000 },
});
const peer = await startRaw();
const { connection } = await peer.connect(node);
const { score } = node.services.pubsub;
score.addPenalty(peer.id, 10, "GraftBackoff");
await waitFor(() => node.services.pubsub.getScore(peer.id) < 0);
const before = node.services.pubsub.getScore(peer.id);
await connection.close();
await waitFor(() => node.getPeers().length === 0);
await peer.connect(node);
await waitFor(() => node.services.pubsub.getScore(peer.id) === 0, 1000);
const after = node.services.pubsub.getScore(peer.id);
conclude(before < 0 && after === 0, `score ${before} before, ${after} after a redial`);
