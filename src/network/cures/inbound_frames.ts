/**
 * Gossipsub reads a peer's stream through three async generators, costs the peer nothing for what does not decode, and
 * after a frame that is too large drops the peer but not the connection, which goes on swallowing bytes (853 MB in 4 s
 * were measured). A new stream does not end the one before it, which is half-closed and still read.
 * Here the stream is read by a parser of our own, which the guard can stop between two frames.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { PeerId, Stream, StreamMessageEvent } from "@libp2p/interface";
import { FrameReader } from "../guard/frame_reader.ts";
import type { Meter } from "../guard/guard.ts";
import { chargeRpc } from "../guard/rpc_cost.ts";
import { MAX_RPC_SIZE_BYTES } from "../topics.ts";
import { receiveDirectly } from "../transport/direct_receive.ts";
import { HANDLED } from "../transport/inbound_messages.ts";
import type { Cure } from "./cure.ts";

/** Time that a frame may take, beside what its bytes take at the slowest rate that a peer of use could have. */
const FRAME_TIMEOUT_MS = 10_000;
/** What does not decode has cost time by its length, so that one frame of half a MiB is enough. */
const MALFORMED_UNIT_BYTES = 64 * 1024;
const SLOWEST_BYTES_PER_MS = 64;

interface Reading {
  readonly meter: Meter;
  readonly reader: FrameReader;
  /** Since when (`clock.monotonicMs`) a frame is incomplete, or null. */
  pendingSinceMs: number | null;
}

export const inboundFramesCure: Cure = {
  name: "inbound_frames",
  install({ pubsub, guard, clock, log }) {
    /** By peer id: one stream each. */
    const readings = new Map<string, Reading>();

    function createInboundStream(peerId: PeerId, stream: Stream): void {
      const id = peerId.toString();
      if (!pubsub.isStarted() || !pubsub.peers.has(id)) return;
      const meter = guard.meter(id);
      if (!meter.spend("gossipStreams")) {
        stream.abort(new Error("too many gossip streams"));
        return;
      }
      const view = {
        isJoined: (topic: string) => pubsub.mesh.has(topic),
        // gossipsub's own clock: it sets the expiry.
        isBackedOff: (topic: string) => (pubsub.backoff.get(topic)?.get(id) ?? 0) > clock.nowMs(),
      };

      function onFrame(frame: Uint8Array): boolean {
        if (!meter.spend("frames") || !meter.spend("bytes", frame.length)) return false;
        let rpc: RPC;
        try {
          rpc = pubsub.decodeRpc(frame);
        } catch {
          return meter.spend("malformed", 1 + Math.floor(frame.length / MALFORMED_UNIT_BYTES));
        }
        if (!chargeRpc(rpc, meter, view)) return false;
        const handled = pubsub.handleReceivedRpc(peerId, rpc);
        if (handled !== HANDLED) {
          handled.catch((error) => log.warn({ error }, "gossipsub could not handle an RPC"));
        }
        return true;
      }

      const reader = new FrameReader({
        maxFrameBytes: MAX_RPC_SIZE_BYTES,
        onFrame,
        onOversize: () => meter.fault("OVERSIZE_FRAME"),
      });
      const reading: Reading = { meter, reader, pendingSinceMs: null };
      const receive = (bytes: Uint8Array) => {
        if (meter.refused) return false;
        const before = reader.frames;
        reader.push(bytes);
        if (reader.pendingBytes === 0) reading.pendingSinceMs = null;
        else if (reading.pendingSinceMs === null || reader.frames > before)
          reading.pendingSinceMs = clock.monotonicMs();
        return true;
      };
      const onMessage = ({ data }: StreamMessageEvent) => {
        for (const part of data instanceof Uint8Array ? [data] : data) receive(part);
      };
      const end = () => {
        stream.removeEventListener("message", onMessage);
        if (readings.get(id) === reading) readings.delete(id);
      };
      receiveDirectly(stream, receive);
      stream.addEventListener("message", onMessage);
      stream.addEventListener("close", end);
      const previous = pubsub.streamsInbound.get(id);
      readings.set(id, reading);
      pubsub.streamsInbound.set(id, {
        async close() {
          end();
          stream.abort(new Error("the gossip stream is no longer read"));
        },
      });
      previous?.close().catch(() => {});
    }

    pubsub.createInboundStream = createInboundStream;
    pubsub.addEventListener("gossipsub:heartbeat", () => {
      const nowMs = clock.monotonicMs();
      for (const { meter, reader, pendingSinceMs } of readings.values()) {
        const allowedMs = FRAME_TIMEOUT_MS + reader.pendingBytes / SLOWEST_BYTES_PER_MS;
        if (pendingSinceMs !== null && nowMs - pendingSinceMs > allowedMs) meter.fault("SLOW_FRAME");
      }
    });
  },
};
