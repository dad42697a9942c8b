import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FAST_STACK, STOCK_STACK, type TransportStack } from "../../../src/network/transport/stack.ts";
import { until } from "../nodes.ts";
import { collect, connectPair, watchMuxer } from "./pair.ts";

const MIB = 1024 * 1024;
/** rust-libp2p's `MAX_FRAME_BODY_LEN`: it ends the connection at a larger frame. */
const RUST_FRAME_BYTES = MIB;
/** As rust-libp2p's windows grow to. */
const WINDOW_BYTES = 4 * MIB;
const DATA = 0;

/** Of one write, with a window that has grown. */
async function framesOf(sender: TransportStack, sizeBytes: number): Promise<number> {
  const frames: number[] = [];
  const stack = watchMuxer(sender, (data) => {
    const header = Buffer.from(data.subarray(0, 12));
    if (header[1] === DATA) frames.push(header.readUInt32BE(8));
  });
  const { writer, reader } = await connectPair(stack, FAST_STACK);
  const received = collect(reader);
  writer.send(randomBytes(1));
  await until("the stream is open", () => received.bytes().length === 1);
  Object.assign(reader, { recvWindow: WINDOW_BYTES, recvWindowCapacity: WINDOW_BYTES });
  Object.assign(writer, { sendWindowCapacity: WINDOW_BYTES, maxMessageSize: WINDOW_BYTES });
  const written = randomBytes(sizeBytes);
  writer.send(written);
  await until("all has come", () => received.bytes().length === 1 + sizeBytes);
  expect(received.bytes().subarray(1).equals(written)).toBe(true);
  return Math.max(...frames);
}

describe("yamux frames", () => {
  it.each([
    ["what fits the window", 2 * MIB],
    ["what does not", 6 * MIB],
  ])("are as small as rust-libp2p takes them, for %s", async (_, sizeBytes) => {
    expect(await framesOf(FAST_STACK, sizeBytes)).toBeLessThan(RUST_FRAME_BYTES);
  });

  it("canary: the library's are as large as the window", async () => {
    expect(await framesOf(STOCK_STACK, 2 * MIB)).toBeGreaterThan(RUST_FRAME_BYTES);
  });
});
