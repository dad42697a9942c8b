/**
 * gossipsub: an outbound stream that comes when its peer has left is kept for good.
 *
 * `createOutboundStream` looks whether the peer is there, awaits `newStream`, and puts the stream into `streamsOutbound`; `removePeer` may
 * have run in between. The stream is closed by then, so its `close` listener, which would delete the entry, never hears of it.
 * Peers that connect and abort leave one such entry in a few hundred connections.
 *
 * Fix: ask `this.peers.has(id)` again after the await, and abort the stream where it is gone.
 */
import type { Connection, PeerId, Stream } from "@libp2p/interface";
import { conclude, startNode, startRaw, waitFor } from "./lab.ts";

const node = await startNode();
const peer = await startRaw();
await peer.connect(node);
interface Inner {
  readonly peers: Map<string, PeerId>;
  readonly streamsOutbound: Map<string, unknown>;
  createOutboundStream(peerId: PeerId, connection: Pick<Connection, "newStream">): Promise<void>;
}
const pubsub = node.services.pubsub as unknown as Inner;
const [connection] = node.getConnections() as [Connection];
await waitFor(() => pubsub.streamsOutbound.has(peer.id));
pubsub.streamsOutbound.delete(peer.id);
await pubsub.createOutboundStream(connection.remotePeer, {
  async newStream(...args): Promise<Stream> {
    const stream = await connection.newStream(...args);
    connection.abort(new Error("the peer leaves"));
    await waitFor(() => !pubsub.peers.has(peer.id));
    return stream;
  },
});
await waitFor(() => pubsub.streamsOutbound.size === 0, 1000);
const left = pubsub.streamsOutbound.size;
conclude(left > 0, `${left} outbound stream of ${node.getConnections().length} connections, 1 s after the peer left`);
