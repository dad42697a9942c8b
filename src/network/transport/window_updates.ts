/**
 * Yamux with fewer window updates. The library answers each data frame with an update of as many bytes: a noise message
 * and a write for each message that a relay receives. Here they are held until they come to a quarter of the window, as Go and
 * Rust hold them until half of it. The sender always has the other three quarters, so it never waits for what is held.
 * @spec hashicorp/yamux spec.md#flow-control
 */
import type { StreamMuxerFactory } from "@libp2p/interface";
import type { Bytes } from "./bytes.ts";

const HEADER_BYTES = 12;
const WINDOW_UPDATE = 1;
/** The smallest window that a stream may have is 256 KiB. */
const HELD_BYTES = 64 * 1024;
/** Streams beyond those open that may have a held update before the closed ones' are dropped. */
const MAX_CLOSED_STREAMS = 64;

/** The stream and the bytes that a pure window update grants, or null for any other frame. */
function readUpdate(frame: Bytes): { streamId: number; bytes: number } | null {
  if (!(frame instanceof Uint8Array) || frame.length !== HEADER_BYTES || frame[1] !== WINDOW_UPDATE) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  // With a flag it opens, accepts, closes or resets.
  return view.getUint16(2) === 0 ? { streamId: view.getUint32(4), bytes: view.getUint32(8) } : null;
}

function encodeUpdate(streamId: number, bytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  view.setUint8(1, WINDOW_UPDATE);
  view.setUint32(4, streamId);
  view.setUint32(8, bytes);
  return new Uint8Array(view.buffer);
}

export function holdWindowUpdates(factory: () => StreamMuxerFactory): () => StreamMuxerFactory {
  return () => {
    const inner = factory();
    return {
      protocol: inner.protocol,
      createStreamMuxer(connection) {
        const send = connection.send.bind(connection);
        /** By stream id. */
        const held = new Map<number, number>();
        connection.send = (frame) => {
          const update = readUpdate(frame);
          if (update === null) return send(frame);
          const { streamId } = update;
          const bytes = (held.get(streamId) ?? 0) + update.bytes;
          if (bytes >= HELD_BYTES) {
            held.delete(streamId);
            return send(encodeUpdate(streamId, bytes));
          }
          held.set(streamId, bytes);
          if (held.size > muxer.streams.length + MAX_CLOSED_STREAMS) forgetClosed();
          return !connection.writableNeedsDrain;
        };
        function forgetClosed(): void {
          const open = new Set(muxer.streams.map(({ id }) => Number(id)));
          for (const streamId of held.keys()) if (!open.has(streamId)) held.delete(streamId);
        }
        const muxer = inner.createStreamMuxer(connection);
        return muxer;
      },
    };
  };
}
