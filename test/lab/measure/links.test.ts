import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { ShapedLink, Uplink } from "../../../src/lab/measure/links/link.ts";
import type { LinkShape } from "../../../src/lab/measure/links/model.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const PLAIN: LinkShape = { delayMs: 0, deviationMs: 0, loss: 0 };

/** A dialed socket and the socket that the target accepted, with a link between them. */
async function linked(
  shape: LinkShape,
  uplinks: readonly [Uplink | null, Uplink | null] = [null, null],
): Promise<{ near: Socket; far: Socket; meter: { chunks: number; retransmissions: number; late(ms: number): void } }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const meter = { chunks: 0, retransmissions: 0, late: () => {} };
  const link = new ShapedLink({ shape, uplinks }, { clock: systemClock, random: seededRandom(1), meter });
  link.target = { host: "127.0.0.1", port: (server.address() as { port: number }).port };
  const port = await link.listen("127.0.0.1");
  const accepted = once(server, "connection");
  const near = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  const [far] = (await accepted) as [Socket];
  closers.push(
    () => near.destroy(),
    () => far.destroy(),
    () => link.close(),
    () => server.close(),
  );
  return { near, far, meter };
}

/** Resolves when `sizeBytes` have come, to what they are and how long it took. */
function collect(socket: Socket, sizeBytes: number): Promise<{ bytes: Buffer; elapsedMs: number }> {
  const startedMs = systemClock.monotonicMs();
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= sizeBytes)
        resolve({ bytes: Buffer.concat(chunks), elapsedMs: systemClock.monotonicMs() - startedMs });
    });
  });
}

/** Less than a link may be early: its clock and ours are one, but for rounding. */
const EARLY_MS = 1;

describe("shaped link", () => {
  it("delays each way by the model, and changes no byte", async () => {
    const { near, far } = await linked({ ...PLAIN, delayMs: 40 });
    const forth = collect(far, 5);
    near.write("hello");
    expect((await forth).elapsedMs).toBeGreaterThanOrEqual(40 - EARLY_MS);
    expect((await forth).bytes.toString()).toBe("hello");
    const back = collect(near, 5);
    far.write("there");
    expect((await back).elapsedMs).toBeGreaterThanOrEqual(40 - EARLY_MS);
  });

  it("keeps order under jitter, and loses nothing of a large transfer", async () => {
    const { near, far } = await linked({ ...PLAIN, delayMs: 5, deviationMs: 5 });
    const sent = Buffer.from(seededRandom(2).bytes(300_000));
    const received = collect(far, sent.length);
    for (let offset = 0; offset < sent.length; offset += 10_000) near.write(sent.subarray(offset, offset + 10_000));
    expect((await received).bytes.equals(sent)).toBe(true);
  });

  it("pauses a sender that is faster than the link, and hands on all in the end", async () => {
    // 12 MB at 64 MB/s; a link holds 4 MiB.
    const { near, far } = await linked(PLAIN, [new Uplink(64_000), null]);
    const size = 12_000_000;
    const received = collect(far, size);
    near.write(Buffer.alloc(size, 7));
    const { bytes, elapsedMs } = await received;
    expect(bytes.length).toBe(size);
    expect(elapsedMs).toBeGreaterThanOrEqual(size / 64_000 - EARLY_MS);
  });

  it("shares a node's upload among its links", async () => {
    const uplink = new Uplink(1_000);
    const [one, other] = [await linked(PLAIN, [uplink, null]), await linked(PLAIN, [uplink, null])];
    const received = [collect(one.far, 50_000), collect(other.far, 50_000)];
    one.near.write(Buffer.alloc(50_000));
    other.near.write(Buffer.alloc(50_000));
    const elapsed = (await Promise.all(received)).map(({ elapsedMs }) => elapsedMs);
    expect(Math.max(...elapsed)).toBeGreaterThanOrEqual(100 - EARLY_MS);
  });

  it("sends a lost segment again after a timeout, and holds up what is behind it", async () => {
    const { near, far, meter } = await linked({ ...PLAIN, loss: 0.5 });
    const received = collect(far, 20_000);
    near.write(Buffer.alloc(20_000));
    expect((await received).elapsedMs).toBeGreaterThanOrEqual(200 - EARLY_MS);
    expect(meter.retransmissions).toBeGreaterThan(0);
  });

  it("passes a half-close on after what was sent before it, and still answers", async () => {
    const { near, far } = await linked({ ...PLAIN, delayMs: 10 });
    const received = collect(far, 4);
    const ended = once(far, "end");
    near.end("last");
    await ended;
    expect((await received).bytes.toString()).toBe("last");
    const answer = collect(near, 6);
    far.end("answer");
    expect((await answer).bytes.toString()).toBe("answer");
  });

  it("cuts both sides when one is destroyed", async () => {
    const { near, far } = await linked(PLAIN);
    const closed = new Promise((resolve) => far.on("close", resolve));
    far.on("error", () => {}).resume();
    near.resetAndDestroy();
    await closed;
  });
});
