/** Frames of yamux, to be written under the multiplexer. https://github.com/hashicorp/yamux/blob/master/spec.md */
export const YAMUX_TYPE = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export const YAMUX_FLAG = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
const HEADER_BYTES = 12;

/** Stream ids of our own frames begin here: odd, as a client's are, and above those that the multiplexer uses. */
export const FIRST_STREAM_ID = 100_001;

/** `length` is the payload's for data, a delta for window updates, an opaque value for pings; a uint32. */
export function yamuxFrame(
  type: number,
  flags: number,
  streamId: number,
  length: number,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array {
  const frame = Buffer.alloc(HEADER_BYTES + payload.length);
  frame.writeUInt8(type, 1);
  frame.writeUInt16BE(flags, 2);
  frame.writeUInt32BE(streamId, 4);
  frame.writeUInt32BE(length, 8);
  frame.set(payload, HEADER_BYTES);
  return frame;
}
