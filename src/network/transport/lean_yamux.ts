/**
 * Yamux without lists, events and generators between its frames and its streams, and with fewer window updates. The library
 * looks after streams, windows and pings; data and updates of open streams are cut out of what comes, and put into one buffer of
 * what goes, here. It answers each data frame with an update; here those wait until a quarter of the window is
 * used up, as Go and Rust wait for half of it: the sender always has the rest, so it never waits for what is held.
 * @spec hashicorp/yamux spec.md#framing
 */
import type { MessageStream, Stream, StreamMuxerFactory } from "@libp2p/interface";
import type { Uint8ArrayList } from "uint8arraylist";
import { CodedError } from "../../base/errors.ts";
import type { Bytes } from "./bytes.ts";
import { receiveDirectly } from "./direct_receive.ts";
import { FrameCutter } from "./frame_cutter.ts";

const HEADER_BYTES = 12;
const DATA = 0;
const WINDOW_UPDATE = 1;
/** Of the library's states of a stream: both sides have agreed to it, and it is not paused. */
const ESTABLISHED = 3;
/** What every stream may be sent at first, and the most that one may which we no longer have. @spec hashicorp/yamux spec.md */
const INITIAL_WINDOW_BYTES = 256 * 1024;
/** The library's frames are as large as the other's window. rust-libp2p's window grows beyond 1 MiB, and a frame of that ends the connection. */
const MAX_FRAME_BYTES = 256 * 1024;

interface Frame {
  readonly header: { type: number; flag: number; streamID: number; length: number };
  readonly data?: Uint8Array;
}

/** What the library's streams have beside their interface. */
type YamuxStream = Stream & {
  readonly streamId: number;
  readonly state: number;
  readonly recvWindow: number;
  readonly maxMessageSize: number;
  recvWindowCapacity: number;
  sendWindowCapacity: number;
  sendingData: boolean;
  onData(data: Bytes): void;
  handleData(frame: Frame): void;
  handleWindowUpdate(frame: Frame): void;
  sendWindowUpdate(): void;
  sendFrame(header: Frame["header"], data?: Uint8ArrayList): boolean;
};

/** And its muxers. */
type YamuxMuxer = {
  readonly streams: readonly YamuxStream[];
  decoder: { emitFrames(data: Bytes): Iterable<never> };
  handleFrame(frame: Frame): void;
  _newStream(id: number, state: number, direction: string): YamuxStream;
  send(frame: Uint8Array): boolean;
  abort(error: Error): void;
};

function checkMuxer(muxer: YamuxMuxer): void {
  const functions = [muxer.decoder?.emitFrames, muxer.handleFrame, muxer._newStream, muxer.send, muxer.abort];
  if (!functions.every((member) => typeof member === "function") || !Array.isArray(muxer.streams)) {
    throw new CodedError("LIBRARY_CHANGED", "yamux's muxers are no longer of the form that is known here", {});
  }
}

function checkStream(stream: YamuxStream): void {
  const { streamId, state, recvWindow, recvWindowCapacity, sendWindowCapacity, maxMessageSize, sendingData } = stream;
  const numbers = [streamId, state, recvWindow, recvWindowCapacity, sendWindowCapacity, maxMessageSize];
  const functions = [
    stream.onData,
    stream.handleData,
    stream.handleWindowUpdate,
    stream.sendWindowUpdate,
    stream.sendFrame,
  ];
  if (
    !numbers.every((member) => typeof member === "number") ||
    !functions.every((member) => typeof member === "function") ||
    typeof sendingData !== "boolean"
  ) {
    throw new CodedError("LIBRARY_CHANGED", "yamux's streams are no longer of the form that is known here", {});
  }
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A data frame without a flag. */
function dataFrame(streamId: number, data: Bytes): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + data.byteLength);
  writeUint32(frame, 0, 0);
  writeUint32(frame, 4, streamId);
  writeUint32(frame, 8, data.byteLength);
  if (data instanceof Uint8Array) {
    frame.set(data, HEADER_BYTES);
    return frame;
  }
  let at = HEADER_BYTES;
  for (const part of data) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

function readFrames(muxer: YamuxMuxer): FrameCutter {
  /** The stream of the frame before: most often that of the next, too. */
  let last: YamuxStream | undefined;
  /** That a stream of this connection was seen to have: what comes for one that we have ended may be as long. */
  let largestWindow = INITIAL_WINDOW_BYTES;

  /** The open stream, or undefined. */
  function streamOf(streamId: number): YamuxStream | undefined {
    if (last?.streamId !== streamId || last.status !== "open") {
      last = muxer.streams.find((stream) => stream.streamId === streamId);
    }
    return last;
  }

  function receive(stream: YamuxStream, data: Uint8Array): void {
    stream.recvWindowCapacity -= data.length;
    stream.onData(data);
    const used = stream.recvWindow - stream.recvWindowCapacity;
    if (used * 4 >= stream.recvWindow || stream.state !== ESTABLISHED) stream.sendWindowUpdate();
    largestWindow = Math.max(largestWindow, stream.recvWindow);
  }

  return new FrameCutter({
    headerBytes: HEADER_BYTES,
    frameBytes(bytes, offset) {
      if (bytes[offset] !== 0) throw new Error("not a frame of yamux's version 0");
      if (bytes[offset + 1] !== DATA) return HEADER_BYTES;
      // Before its body is held: the library would hold up to 4 GiB of it, and then look at the window.
      const length = readUint32(bytes, offset + 8);
      if (length > INITIAL_WINDOW_BYTES) {
        const window = streamOf(readUint32(bytes, offset + 4))?.recvWindowCapacity ?? largestWindow;
        if (length > window) throw new Error("a yamux frame is larger than its stream's window");
      }
      return HEADER_BYTES + length;
    },
    onFrame(bytes, start, end) {
      const type = bytes[start + 1] ?? 0;
      const flag = ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0);
      const streamID = readUint32(bytes, start + 4);
      const length = readUint32(bytes, start + 8);
      const stream = flag === 0 && (type === DATA || type === WINDOW_UPDATE) ? streamOf(streamID) : undefined;
      const data = type === DATA ? bytes.subarray(start + HEADER_BYTES, end) : undefined;
      if (stream !== undefined && data === undefined) {
        stream.handleWindowUpdate({ header: { type, flag, streamID, length } });
      } else if (stream !== undefined && data !== undefined && length <= stream.recvWindowCapacity) {
        receive(stream, data);
      } else {
        const header = { type, flag, streamID, length };
        muxer.handleFrame(data === undefined ? { header } : { header, data });
      }
    },
  });
}

/** Has a stream send what fits its window and a frame at once, in one buffer; all else goes the library's way, in frames as small. */
function sendFrames(stream: YamuxStream, muxer: YamuxMuxer): YamuxStream {
  checkStream(stream);
  const sendFrame = stream.sendFrame.bind(stream);
  stream.sendFrame = (header, data) => {
    if (data === undefined || data.byteLength <= MAX_FRAME_BYTES) return sendFrame(header, data);
    let canSendMore = true;
    for (let at = 0; at < data.byteLength; at += MAX_FRAME_BYTES) {
      const part = data.sublist(at, Math.min(at + MAX_FRAME_BYTES, data.byteLength));
      // The flag opens the stream.
      const flag = at === 0 ? header.flag : 0;
      canSendMore = sendFrame({ ...header, flag, length: part.byteLength }, part);
    }
    return canSendMore;
  };
  const send = stream.send.bind(stream);
  stream.send = (data) => {
    const length = data.byteLength;
    const canGo =
      stream.state === ESTABLISHED &&
      stream.writeStatus === "writable" &&
      !stream.writableNeedsDrain &&
      !stream.sendingData &&
      stream.writeBufferLength === 0 &&
      length > 0 &&
      length <= Math.min(stream.sendWindowCapacity, stream.maxMessageSize, MAX_FRAME_BYTES);
    if (!canGo) return send(data);
    stream.sendWindowCapacity -= length;
    stream.sendingData = true;
    try {
      // False: all streams of the muxer are told to wait, this one as well.
      return muxer.send(dataFrame(stream.streamId, data));
    } catch (error) {
      stream.abort(error as Error);
      throw error;
    } finally {
      stream.sendingData = false;
    }
  };
  return stream;
}

function prepare(muxer: YamuxMuxer, connection: MessageStream): void {
  checkMuxer(muxer);
  const cutter = readFrames(muxer);
  muxer.decoder = {
    emitFrames(data) {
      if (data instanceof Uint8Array) cutter.push(data);
      else for (const part of data) cutter.push(part);
      return [];
    },
  };
  receiveDirectly(connection, (bytes) => {
    try {
      cutter.push(bytes);
    } catch (error) {
      muxer.abort(error as Error);
      connection.abort(error as Error);
    }
    return true;
  });
  const newStream = muxer._newStream.bind(muxer);
  muxer._newStream = (id, state, direction) => sendFrames(newStream(id, state, direction), muxer);
}

export function leanYamux(factory: () => StreamMuxerFactory): () => StreamMuxerFactory {
  return () => {
    const inner = factory();
    return {
      protocol: inner.protocol,
      createStreamMuxer(connection) {
        const muxer = inner.createStreamMuxer(connection);
        prepare(muxer as unknown as YamuxMuxer, connection);
        return muxer;
      },
    };
  };
}
