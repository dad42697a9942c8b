/**
 * Gossipsub opens one outbound stream a peer and never opens it again: once it is lost (the peer reset it, our buffer
 * for a slow peer overflowed, an oversize frame made the library drop the peer but not the connection) the peer stays
 * connected, maybe in the mesh, and hears nothing from us for good. Such peers are hung up, and may dial again.
 * And a stream that comes when its peer has left is kept for good: here it goes with the next heartbeat.
 */
import type { PeerId } from "@libp2p/interface";
import type { Cure } from "./cure.ts";

/**
 * Time that a new peer has to let us open the first stream. Streams are opened one after the other, each with up to
 * 10 s to negotiate, so a slow peer may hold up the next one.
 */
const FIRST_STREAM_TIMEOUT_MS = 20_000;

export const outboundWatchdogCure: Cure = {
  name: "outbound_watchdog",
  install({ pubsub, libp2p, clock, counters, hangUp }) {
    /** Connected gossip peers, and since when (`clock.monotonicMs`) we wait for their stream: bounded by connections. */
    const watched = new Map<string, { id: PeerId; waitingSinceMs: number; hadStream: boolean }>();
    libp2p.addEventListener("peer:disconnect", ({ detail }) => void watched.delete(detail.toString()));
    pubsub.addEventListener("gossipsub:heartbeat", () => {
      const nowMs = clock.monotonicMs();
      for (const key of pubsub.streamsOutbound.keys()) {
        if (!pubsub.peers.has(key)) pubsub.streamsOutbound.delete(key);
      }
      for (const [key, id] of pubsub.peers) {
        if (!watched.has(key)) watched.set(key, { id, waitingSinceMs: nowMs, hadStream: false });
      }
      for (const [key, peer] of watched) {
        if (pubsub.streamsOutbound.has(key)) {
          peer.hadStream = true;
        } else if (peer.hadStream || nowMs - peer.waitingSinceMs > FIRST_STREAM_TIMEOUT_MS) {
          watched.delete(key);
          counters.deafPeers++;
          hangUp(peer.id, "NO_OUTBOUND_STREAM");
        }
      }
    });
  },
};
