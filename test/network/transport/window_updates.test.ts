import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FAST_STACK, STOCK_STACK, type TransportStack } from "../../../src/network/transport/stack.ts";
import { until } from "../nodes.ts";
import { collect, connectPair, watchMuxer } from "./pair.ts";

const KIB = 1024;
const WRITE_BYTES = 8 * KIB;
const HEADER_BYTES = 12;
const WINDOW_UPDATE = 1;

/** The reader's updates after so many writes, each in a frame of its own. */
async function updatesAfter(reader: TransportStack, writes: number): Promise<readonly number[]> {
  /** The bytes of each window update without a flag. */
  const updates: number[] = [];
  const stack = watchMuxer(reader, (data) => {
    if (!(data instanceof Uint8Array) || data.length !== HEADER_BYTES) return;
    const view = new DataView(data.buffer, data.byteOffset);
    if (view.getUint8(1) === WINDOW_UPDATE && view.getUint16(2) === 0) updates.push(view.getUint32(8));
  });
  const pair = await connectPair(STOCK_STACK, stack);
  const received = collect(pair.reader);
  for (let i = 1; i <= writes; i++) {
    pair.writer.send(randomBytes(WRITE_BYTES));
    await until("the write", () => received.bytes().length === i * WRITE_BYTES);
  }
  return updates;
}

describe("window updates", () => {
  it("canary: the library answers each frame with one", async () => {
    expect((await updatesAfter(STOCK_STACK, 6)).length).toBeGreaterThanOrEqual(6);
  });

  it("are held until they come to a quarter of the window, and grant all that was read", async () => {
    const updates = await updatesAfter(FAST_STACK, 40);
    // 320 KiB are five quarters; the window doubles six times at most, and tells each time.
    expect(updates.length).toBeLessThanOrEqual(11);
    expect(Math.min(...updates)).toBeGreaterThanOrEqual(64 * KIB);
    const granted = updates.reduce((sum, bytes) => sum + bytes, 0);
    // What is still held is less than a quarter; a window that grew grants more than was read.
    expect(granted).toBeGreaterThan(40 * WRITE_BYTES - 64 * KIB);
  });
});
