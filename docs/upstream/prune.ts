/**
 * gossipsub: `handlePrune` stops at the first topic that it does not know, and takes any backoff.
 *
 * 1. `if (peersInMesh == null) return` should be `continue`: a peer that prunes an unknown topic and a known one in one RPC
 *    stays in the mesh of the known one.
 * 2. A backoff is a uint64 of seconds. One of 2^52 is kept, with its map entry, for good; after the peer has left, too.
 *
 * Fix: `continue`, and an upper bound (an hour, say) for the backoff.
 */
import { conclude, controlRpc, sleep, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode();
const peer = await startRaw();
await peer.connect(node);
const inMesh = () => node.services.pubsub.getMeshPeers(TOPIC).length === 1;
await waitFor(inMesh);
const pruneOf = (topicID: string) => ({ topicID, peers: [], backoff: 2 ** 52 });
peer.send(controlRpc({ prune: [pruneOf("unknown"), pruneOf(TOPIC)] }));
await sleep(500);
const stayed = inMesh();
peer.send(controlRpc({ prune: [pruneOf(TOPIC)] }));
await waitFor(() => !inMesh());
const { backoff } = node.services.pubsub as unknown as { backoff: Map<string, Map<string, number>> };
const years = ((backoff.get(TOPIC)?.get(peer.id) ?? 0) - Date.now()) / 1000 / 3600 / 24 / 365;
conclude(stayed && years > 1, `still in the mesh: ${stayed}; backoff of ${years.toExponential(1)} years`);
