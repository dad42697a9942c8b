/**
 * gossipsub: once the outbound stream to a peer is gone it is never opened again, and the peer stays in the mesh.
 *
 * The stream's end (the peer reset it, or `maxOutboundBufferSize` was exceeded) deletes it from `streamsOutbound`; the peer
 * stays in `peers`, `topics` and the mesh, keeps a place there, and hears nothing for good.
 *
 * Fix: reopen the stream, or remove the peer (`removePeer`) when its outbound stream closes.
 */
import { conclude, sleep, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode();
const peer = await startRaw();
const { connection } = await peer.connect(node);
await waitFor(() => node.services.pubsub.getMeshPeers(TOPIC).length === 1);
peer.inbound[0]?.abort(new Error("reset"));
await sleep(1500);
const inMesh = node.services.pubsub.getMeshPeers(TOPIC).length === 1;
const isDeaf = peer.inbound.length === 1 && connection.status === "open";
conclude(inMesh && isDeaf, `in the mesh: ${inMesh}; streams opened again: ${peer.inbound.length - 1}`);
