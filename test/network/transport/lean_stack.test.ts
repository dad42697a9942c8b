/** What noise and yamux of ours do with bytes that are cut, spoilt or too many on their way. */
import { randomBytes } from "node:crypto";
import { createServer, connect as dialTcp, type Socket } from "node:net";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { describe, expect, it } from "vitest";
import { type Random, seededRandom } from "../../../src/base/random.ts";
import { FAST_STACK, STOCK_STACK, type TransportStack } from "../../../src/network/transport/stack.ts";
import { stopAfterTest, until } from "../nodes.ts";
import { collect } from "./pair.ts";

const PROTOCOL = "/test/1.0.0";
const SEED = 20_261_122;
const KIB = 1024;

async function startNode(stack: TransportStack): Promise<Libp2p> {
  return stopAfterTest(
    await createLibp2p({
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [stack.transport({})],
      connectionEncrypters: [stack.encrypter()],
      streamMuxers: [stack.muxer({})],
    }),
  );
}

/** A proxy before `port`: what goes through it is `changed`, chunk by chunk. */
async function startProxy(port: number, changed: (chunk: Buffer) => readonly Buffer[]): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dialTcp(port, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      to.setNoDelay(true);
      from.on("data", (chunk: Buffer) => {
        for (const part of changed(chunk)) if (to.writable) to.write(part);
      });
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stopAfterTest({
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return (server.address() as { port: number }).port;
}

/** In pieces of a few bytes to a few KiB, each written apart. */
function cut(random: Random): (chunk: Buffer) => Buffer[] {
  return (chunk) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      const size =
        1 + ((random.bytes(1)[0] ?? 0) < 200 ? (random.bytes(1)[0] ?? 0) % 20 : (random.bytes(1)[0] ?? 0)) * 17;
      parts.push(chunk.subarray(at, at + size));
      at += size;
    }
    return parts;
  };
}

interface Link {
  readonly writer: Stream;
  readonly reader: Stream;
  readonly connection: Connection;
  readonly remote: Libp2p;
}

async function link(
  first: TransportStack,
  second: TransportStack,
  changed: (chunk: Buffer) => readonly Buffer[] = (chunk) => [chunk],
): Promise<Link> {
  const [dialer, remote] = await Promise.all([startNode(first), startNode(second)]);
  const incoming = Promise.withResolvers<Stream>();
  await remote.handle(PROTOCOL, (stream) => incoming.resolve(stream));
  const [address] = remote.getMultiaddrs();
  const proxy = await startProxy(Number(address?.toString().split("/")[4]), changed);
  const connection = await dialer.dial(multiaddr(`/ip4/127.0.0.1/tcp/${proxy}`));
  const writer = await connection.newStream(PROTOCOL);
  return { writer, reader: await incoming.promise, connection, remote };
}

type Yamux = {
  sendFrame(header: { type: number; flag: number; streamID: number; length: number }, data?: Uint8Array): void;
  send(bytes: Uint8Array): void;
};
const yamuxOf = (connection: Connection) => (connection as unknown as { muxer: Yamux }).muxer;

describe.each([
  ["ours to ours", FAST_STACK, FAST_STACK],
  ["ours to the library's", FAST_STACK, STOCK_STACK],
  ["the library's to ours", STOCK_STACK, FAST_STACK],
])("noise and yamux, %s", (_, first, second) => {
  it("lose and reorder nothing when the network cuts the bytes anywhere", async () => {
    const { writer, reader } = await link(first, second, cut(seededRandom(SEED)));
    const forth = collect(reader);
    const back = collect(writer);
    const sent = [1, 12, 300, 65_000, 3, 300 * KIB, 1].map((size) => randomBytes(size));
    for (const bytes of sent) {
      writer.send(bytes);
      reader.send(bytes);
      await until("some of it", () => forth.bytes().length > 0 && back.bytes().length > 0);
    }
    await Promise.all([writer.close(), reader.close()]);
    await Promise.all([forth.ended, back.ended]);
    const all = Buffer.concat(sent);
    expect(forth.bytes().equals(all)).toBe(true);
    expect(back.bytes().equals(all)).toBe(true);
  });
});

describe("noise of ours", () => {
  it("ends the connection at one bit that was changed, and hands nothing of that message on", async () => {
    let spoil = false;
    const { writer, reader, remote } = await link(STOCK_STACK, FAST_STACK, (chunk) => {
      if (!spoil || chunk.length < 500) return [chunk];
      const changed = Buffer.from(chunk);
      changed[changed.length - 100] = (changed[changed.length - 100] ?? 0) ^ 1;
      return [changed];
    });
    const received = collect(reader);
    writer.send(randomBytes(1000));
    await until("a good one", () => received.bytes().length === 1000);
    spoil = true;
    writer.send(randomBytes(1000));
    await until("the end", () => remote.getConnections().length === 0);
    expect(received.bytes().length).toBe(1000);
  });
});

describe("yamux of ours", () => {
  const DATA = 0;
  const idOf = (stream: Stream) => Number(stream.id);

  it("ends the connection of a peer that sends more than the window", async () => {
    const { writer, reader, connection, remote } = await link(STOCK_STACK, FAST_STACK);
    const received = collect(reader);
    const length = 257 * KIB;
    yamuxOf(connection).sendFrame({ type: DATA, flag: 0, streamID: idOf(writer), length }, randomBytes(length));
    await until("the end", () => remote.getConnections().length === 0);
    expect(received.bytes().length).toBe(0);
  });

  it.each([
    ["its stream's window", 257 * KIB, 0],
    ["any window, on a stream that is not there", 257 * KIB, 9998],
    ["any window", 0xffff_ffff, 0],
  ])("ends it at the header of a frame that is larger than %s, before its body", async (_, length, otherId) => {
    const { writer, connection, remote } = await link(STOCK_STACK, FAST_STACK);
    const header = Buffer.alloc(12);
    header.writeUInt32BE(otherId || idOf(writer), 4);
    header.writeUInt32BE(length, 8);
    yamuxOf(connection).send(header);
    await until("the end", () => remote.getConnections().length === 0);
  });

  it("takes longer frames when a window has grown, also for a stream that we have ended since", async () => {
    const { writer, reader, connection, remote } = await link(FAST_STACK, FAST_STACK);
    const received = collect(reader);
    // As the library lets it grow, which hangs on the round-trip time.
    const length = 1024 * KIB;
    (reader as unknown as { recvWindow: number }).recvWindow = length;
    writer.send(Uint8Array.of(1));
    await until("the window is granted", () => received.bytes().length === 1);
    writer.send(new Uint8Array(length));
    await until("it has come", () => received.bytes().length === 1 + length);
    reader.abort(new Error("enough"));
    yamuxOf(connection).sendFrame({ type: DATA, flag: 0, streamID: idOf(writer), length }, new Uint8Array(length));
    const [other] = remote.getConnections();
    await connection.newStream(PROTOCOL);
    expect(other?.status).toBe("open");
  });

  it("drops data for a stream that is not there, and goes on with the others", async () => {
    const { writer, reader, connection } = await link(STOCK_STACK, FAST_STACK);
    const received = collect(reader);
    yamuxOf(connection).sendFrame({ type: DATA, flag: 0, streamID: 9999, length: 4 }, Uint8Array.of(1, 2, 3, 4));
    writer.send(Uint8Array.of(5));
    await until("the other's", () => received.bytes().length === 1);
    expect([...received.bytes()]).toEqual([5]);
  });

  it("carries many streams at once, each in its order, while some of them end", async () => {
    const { connection, remote, writer, reader } = await link(FAST_STACK, FAST_STACK);
    const readers: Stream[] = [];
    await remote.unhandle(PROTOCOL);
    await remote.handle(PROTOCOL, (stream) => void readers.push(stream));
    await Promise.all([writer.close(), reader.close()]);
    const writers: Stream[] = [];
    for (let i = 0; i < 8; i++) {
      writers.push(await connection.newStream(PROTOCOL));
      await until("it has come", () => readers.length === i + 1);
    }
    const received = readers.map(collect);
    for (let round = 0; round < 50; round++) {
      for (const [i, stream] of writers.entries()) {
        if (round === 10 * i && i > 4) stream.abort(new Error("enough"));
        else if (stream.status === "open") stream.send(Buffer.alloc(2000, round));
      }
      if (round % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const lasting = received.slice(0, 5);
    await until("all of those that last", () => lasting.every((one) => one.bytes().length === 100_000));
    const expected = Buffer.concat(Array.from({ length: 50 }, (_, round) => Buffer.alloc(2000, round)));
    for (const one of lasting) expect(one.bytes().equals(expected)).toBe(true);
  });
});
