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
import type { FrameTap } from "./frame_tap.ts";
import type { Guard } from "./guard.ts";
import { MplexTap } from "./mplex_tap.ts";
import { isAnswer, watchNegotiation } from "./negotiation.ts";
import { isDataFrame, YamuxTap } from "./yamux_tap.ts";

const YAMUX = "/yamux/1.0.0";

/** What `AbstractStreamMuxer` has beside its interface. */
type MuxerInternals = {
  onRemoteStream(stream: MessageStream): void;
  onCreateStream(options: unknown): MessageStream;
};

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
      if (isDataFrame(frame instanceof Uint8Array ? frame[1] : frame.get(1))) tap.meter?.grantUpdate();
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
