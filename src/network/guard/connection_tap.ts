/**
 * Counts what a peer does below gossip: the muxer's own frames and the streams that it opens. yamux answers pings, opens
 * streams and takes window updates at any rate, and nothing above it hears of that.
 */
import type {
  ComponentLogger,
  ConnectionGater,
  MessageStream,
  PeerId,
  StreamMessageEvent,
  StreamMuxerFactory,
} from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import { receiveDirectly } from "../transport/direct_receive.ts";
import type { Guard, Meter } from "./guard.ts";
import { CRUMB_BYTES, type GuardKind } from "./limits.ts";
import { MplexTap } from "./mplex_tap.ts";
import { isAnswer, watchNegotiation } from "./negotiation.ts";

const YAMUX = "/yamux/1.0.0";
const HEADER_BYTES = 12;
const DATA = 0;
const WINDOW_UPDATE = 1;
const FLAG_SYN = 1;

/** What a yamux frame spends, or null where it spends nothing. @spec hashicorp/yamux spec.md#framing */
function costOf(type: number, flags: number, lengthBytes: number): GuardKind | null {
  if (type !== DATA && type !== WINDOW_UPDATE) return "muxerPings";
  if ((flags & FLAG_SYN) !== 0) return "streams";
  if (type === WINDOW_UPDATE) return "muxerControl";
  return lengthBytes < CRUMB_BYTES ? "muxerCrumbs" : null;
}

/** What `AbstractStreamMuxer` has beside its interface. */
type MuxerInternals = {
  onRemoteStream(stream: MessageStream): void;
  onCreateStream(options: unknown): MessageStream;
};

/** Follows the frames of one connection, which are cut anywhere between two chunks. */
interface FrameTap {
  meter: Meter | null;
  /** False: stop. */
  read(chunk: Uint8Array): boolean;
}

class YamuxTap implements FrameTap {
  /** Null until the peer of the connection is known; it cannot have sent anything by then. */
  meter: Meter | null = null;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #bodyBytes = 0;

  read(chunk: Uint8Array): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#bodyBytes > 0) {
        const skipped = Math.min(this.#bodyBytes, chunk.length - offset);
        this.#bodyBytes -= skipped;
        offset += skipped;
        continue;
      }
      if (this.#headerBytes === 0 && offset + HEADER_BYTES <= chunk.length) {
        if (!this.#count(chunk, offset)) return false;
        offset += HEADER_BYTES;
        continue;
      }
      const part = chunk.subarray(offset, offset + HEADER_BYTES - this.#headerBytes);
      this.#header.set(part, this.#headerBytes);
      this.#headerBytes += part.length;
      offset += part.length;
      if (this.#headerBytes < HEADER_BYTES) return true;
      this.#headerBytes = 0;
      if (!this.#count(this.#header, 0)) return false;
    }
    return true;
  }

  #count(bytes: Uint8Array, at: number): boolean {
    const byte = (i: number) => bytes[at + i] ?? 0;
    const type = byte(1);
    const lengthBytes = ((byte(8) << 24) | (byte(9) << 16) | (byte(10) << 8) | byte(11)) >>> 0;
    if (type === DATA) this.#bodyBytes = lengthBytes;
    const kind = costOf(type, (byte(2) << 8) | byte(3), lengthBytes);
    return kind === null || this.meter === null || this.meter.spend(kind);
  }
}

export interface ConnectionTap {
  /** Wraps a muxer, so that its connections are followed. */
  follow(factory: () => StreamMuxerFactory): (components: { logger: ComponentLogger }) => StreamMuxerFactory;
  /** The guard's gater, and beside it the place where a connection's peer becomes known. */
  readonly gater: ConnectionGater;
}

/**
 * The upgrader makes the muxer and, without a pause, asks the gater about the upgraded connection: that is how the one
 * made last gets its peer.
 */
export function createConnectionTap(guard: Guard, protocols: () => readonly string[]): ConnectionTap {
  let last: FrameTap | null = null;

  /** js-libp2p answers each data frame with a window update, so one that we send pays for it. */
  function followAnswers(maConn: MessageStream, tap: FrameTap): void {
    const send = maConn.send.bind(maConn);
    // The muxer sends frame by frame.
    maConn.send = (frame) => {
      if ((frame instanceof Uint8Array ? frame[1] : frame.get(1)) === DATA) tap.meter?.grantUpdate();
      return send(frame);
    };
  }

  function followFrames(maConn: MessageStream, tap: FrameTap): void {
    const isWelcome = (part: Uint8Array) => tap.meter?.refused !== true && tap.read(part);
    receiveDirectly(maConn, isWelcome);
    maConn.addEventListener("message", (event: StreamMessageEvent) => {
      // Before the muxer's own listener, which then never sees the rest of a flood.
      const parts = event.data instanceof Uint8Array ? [event.data] : event.data;
      for (const part of parts) {
        if (isWelcome(part)) continue;
        event.stopImmediatePropagation();
        return;
      }
    });
  }

  function followStreams(muxer: MuxerInternals, tap: FrameTap): void {
    if (muxer.onRemoteStream?.length !== 1 || typeof muxer.onCreateStream !== "function") {
      throw new CodedError("LIBRARY_CHANGED", "libp2p's muxers no longer have onRemoteStream and onCreateStream");
    }
    function watch(stream: MessageStream, isAgreed: (line: string) => boolean): void {
      watchNegotiation(stream, isAgreed, () => {
        stream.abort(new Error("bad negotiation"));
        tap.meter?.fault("BAD_NEGOTIATION");
      });
    }
    const onRemoteStream = muxer.onRemoteStream.bind(muxer);
    muxer.onRemoteStream = (stream) => {
      watch(stream, (line) => protocols().includes(line));
      onRemoteStream(stream);
    };
    const onCreateStream = muxer.onCreateStream.bind(muxer);
    muxer.onCreateStream = (options) => {
      const stream = onCreateStream(options);
      watch(stream, isAnswer);
      return stream;
    };
  }

  /** Before a peer has named itself, all that can be done is to end the connection. */
  function watchRaw(maConn: MessageStream): void {
    watchNegotiation(
      maConn,
      (line) => line === "/noise",
      () => maConn.abort(new Error("bad negotiation")),
    );
  }

  function onUpgraded(peerId: PeerId): boolean {
    const meter = guard.meter(peerId.toString());
    if (last === null) throw new CodedError("LIBRARY_CHANGED", "libp2p no longer asks the gater after making a muxer");
    last.meter = meter;
    last = null;
    return meter.refused;
  }

  return {
    follow: (factory) => () => {
      const inner = factory();
      return {
        protocol: inner.protocol,
        createStreamMuxer(maConn) {
          const isYamux = inner.protocol === YAMUX;
          const tap = isYamux ? new YamuxTap() : new MplexTap();
          last = tap;
          followFrames(maConn, tap);
          if (isYamux) followAnswers(maConn, tap);
          const muxer = inner.createStreamMuxer(maConn);
          followStreams(muxer as unknown as MuxerInternals, tap);
          return muxer;
        },
      };
    },
    gater: {
      ...guard.gater,
      denyInboundConnection(maConn) {
        watchRaw(maConn);
        return guard.gater.denyInboundConnection?.(maConn) ?? false;
      },
      denyOutboundConnection(_, maConn) {
        watchRaw(maConn);
        return false;
      },
      denyInboundUpgradedConnection: onUpgraded,
      denyOutboundUpgradedConnection: onUpgraded,
    },
  };
}
