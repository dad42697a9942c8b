import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FAST_STACK, STOCK_STACK } from "../../../src/network/transport/stack.ts";
import { until } from "../nodes.ts";
import { collect, connectPair } from "./pair.ts";

const SEED = 20_261_122;
const MIB = 1024 * 1024;

/** Writes of a turn, then a pause of the event loop, then the next turn's. */
const turns = fc.array(
  fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 1500 }) },
      { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 200_000, max: 400_000 }) },
    ),
    { minLength: 1, maxLength: 12 },
  ),
  { minLength: 1, maxLength: 8 },
);

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe.each([
  ["ours to ours", FAST_STACK, FAST_STACK],
  ["ours to the library's", FAST_STACK, STOCK_STACK],
  ["the library's to ours", STOCK_STACK, FAST_STACK],
])("stack, %s", (_, first, second) => {
  it("loses and reorders nothing, however writes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(turns, async (plan) => {
        const { writer, reader } = await connectPair(first, second);
        const received = collect(reader);
        const sent: Buffer[] = [];
        for (const sizes of plan) {
          for (const size of sizes) {
            const bytes = randomBytes(size);
            sent.push(bytes);
            writer.send(bytes);
          }
          await nextTurn();
        }
        await writer.close();
        await received.ended;
        expect(hashOf(received.bytes())).toBe(hashOf(Buffer.concat(sent)));
      }),
      { seed: SEED, numRuns: 6 },
    );
  });

  it("carries 24 MiB in one write, far beyond a window and a noise message", async () => {
    const { writer, reader } = await connectPair(first, second);
    const received = collect(reader);
    const bytes = randomBytes(24 * MIB);
    writer.send(bytes);
    await writer.close();
    await received.ended;
    expect(hashOf(received.bytes())).toBe(hashOf(bytes));
  });

  it("sends a lone write without waiting for another", async () => {
    const { writer, reader } = await connectPair(first, second);
    const received = collect(reader);
    for (let i = 1; i <= 20; i++) {
      writer.send(Uint8Array.of(i));
      await until("the byte", () => received.bytes().length === i);
    }
  });

  it("stops at a slow reader with a window on its way, says so, and goes on when it reads", async () => {
    const { writer, reader } = await connectPair(first, second);
    reader.pause();
    const sent: Buffer[] = [];
    let canSend = true;
    while (canSend) {
      const bytes = randomBytes(16 * 1024);
      sent.push(bytes);
      canSend = writer.send(bytes);
      await nextTurn();
      if (writer.writableNeedsDrain) break;
      if (sent.length > 4096) throw new Error("64 MiB went nowhere, and nobody said stop");
    }
    expect(writer.writeBufferLength).toBeLessThan(MIB);
    expect(sent.length * 16 * 1024).toBeLessThan(MIB);
    const received = collect(reader);
    reader.resume();
    await writer.close();
    await received.ended;
    expect(hashOf(received.bytes())).toBe(hashOf(Buffer.concat(sent)));
  });

  it("ends a stream that is not read when its buffer is full", async () => {
    const { writer, reader } = await connectPair(first, second);
    reader.pause();
    writer.maxWriteBufferLength = MIB;
    for (let i = 0; i < 64 && writer.status === "open"; i++) {
      writer.send(randomBytes(64 * 1024));
      await nextTurn();
    }
    expect(writer.status).toBe("aborted");
    expect(writer.writeBufferLength).toBe(0);
    expect(() => writer.send(Uint8Array.of(1))).toThrow();
  });

  it("closes one half: the other still carries", async () => {
    const { writer, reader } = await connectPair(first, second);
    const forth = collect(reader);
    const back = collect(writer);
    writer.send(Buffer.from("question"));
    await writer.close();
    await forth.ended;
    expect(forth.bytes().toString()).toBe("question");
    reader.send(Buffer.from("answer"));
    await reader.close();
    await back.ended;
    expect(back.bytes().toString()).toBe("answer");
    expect(() => writer.send(Uint8Array.of(1))).toThrow();
  });

  it("aborts in mid-write: what was gathered is dropped, the other side hears of it, and the connection lives", async () => {
    const { writer, reader, connection } = await connectPair(first, second);
    const received = collect(reader);
    for (let i = 0; i < 40; i++) writer.send(randomBytes(40_000));
    writer.send(randomBytes(100));
    writer.abort(new Error("enough"));
    await received.ended;
    expect(reader.status).toBe("reset");
    expect(received.bytes().length).toBeLessThan(40 * 40_000 + 100);
    const again = await connection.newStream("/test/1.0.0");
    expect(again.status).toBe("open");
  });

  it("hands over what was gathered when the connection is closed in the same turn", async () => {
    const { writer, reader, connection } = await connectPair(first, second);
    const received = collect(reader);
    writer.send(Buffer.from("last words"));
    await connection.close();
    await received.ended;
    expect(received.bytes().toString()).toBe("last words");
  });
});
