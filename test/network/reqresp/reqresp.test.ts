import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import type { WireBlock } from "../../../src/network/network.ts";
import { createByteReader } from "../../../src/network/reqresp/byte_reader.ts";
import {
  encodeBlocksByRange,
  encodeStatus,
  encodeUint64,
  STATUS_V1_SIZE,
} from "../../../src/network/reqresp/messages.ts";
import {
  BLOCKS_BY_RANGE_V2,
  BLOCKS_BY_ROOT_V2,
  METADATA_V3,
  PING_V1,
  type Protocol,
  STATUS_V1,
  STATUS_V2,
} from "../../../src/network/reqresp/protocols.ts";
import { encodeChunk, encodePayload, type ResponseChunk, readChunk } from "../../../src/network/reqresp/wire.ts";
import { ACCEPT, DIGEST, fixedBackend, startNode, statusOf, type TestNode, until, untilMeshed } from "../nodes.ts";
import { type RawPeer, startRawPeer } from "../raw_peer.ts";

const OTHER_DIGEST = "01020304";

function blockOf(seed: number, sizeBytes: number): WireBlock {
  return {
    forkDigest: DIGEST,
    ssz: Uint8Array.from({ length: sizeBytes }, (_, i) => (i === 0 ? seed : (i * seed) >> 4)),
  };
}
/** From less than a frame to several, and one that does not compress. */
const BLOCKS = [blockOf(1, 200), blockOf(2, 65_536), blockOf(3, 65_537), blockOf(4, 900_000)];
const hex = (blocks: readonly WireBlock[]) => blocks.map(({ ssz }) => Buffer.from(ssz).toString("hex").slice(0, 200));

async function startPair(blocks = BLOCKS): Promise<[TestNode, TestNode]> {
  const server = await startNode({ handler: ACCEPT, backend: fixedBackend(DIGEST, blocks) });
  const client = await startNode({ handler: ACCEPT, bootnodes: [server] });
  await until("both know each other's status", () => server.backend.statuses.size + client.backend.statuses.size === 2);
  return [server, client];
}

describe("req/resp", () => {
  it("exchanges Status when peers meet", async () => {
    const [server, client] = await startPair();
    expect(client.backend.statuses.get(server.network.peerId)).toEqual(statusOf(DIGEST));
    expect(server.backend.statuses.get(client.network.peerId)).toEqual(statusOf(DIGEST));
    expect(await client.network.requestStatus(server.network.peerId)).toEqual(statusOf(DIGEST));
  });

  it("gives blocks by range and by root, of any size", async () => {
    const [server, client] = await startPair();
    const byRange = await client.network.requestBlocksByRange(server.network.peerId, 1, 100);
    expect(hex(byRange)).toEqual(hex(BLOCKS.slice(1)));
    expect(byRange.map(({ ssz }) => ssz.length)).toEqual([65_536, 65_537, 900_000]);
    expect(byRange.every(({ forkDigest }) => forkDigest === DIGEST)).toBe(true);
    const roots = [4, 9, 1].map((seed) => new Uint8Array(32).fill(seed));
    const byRoot = await client.network.requestBlocksByRoot(server.network.peerId, roots);
    expect(byRoot.map(({ ssz }) => ssz[0])).toEqual([4, 1]);
    expect(await client.network.requestBlocksByRange(server.network.peerId, 50, 1)).toEqual([]);
  });

  it("tells a failing backend from an empty answer", async () => {
    const backend = {
      ...fixedBackend(DIGEST),
      // biome-ignore lint/correctness/useYield: fails before the first block
      async *getBlocksByRange(): AsyncGenerator<WireBlock> {
        throw new Error("the disk is gone");
      },
    };
    const server = await startNode({ backend });
    const client = await startNode({ bootnodes: [server] });
    await until("they know each other", () => client.backend.statuses.size === 1);
    await expect(client.network.requestBlocksByRange(server.network.peerId, 0, 1)).rejects.toMatchObject({
      code: "REQUEST_FAILED",
      message: expect.stringMatching(/error 2: internal error/),
    });
  });

  it("fails at once for peers that are not connected, or none", async () => {
    const node = await startNode();
    const stranger = (await startRawPeer()).peerId;
    await expect(node.network.requestStatus(stranger)).rejects.toMatchObject({ code: "REQUEST_FAILED" });
    await expect(node.network.requestStatus("nobody")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  });

  it("hangs up a peer of another network, and says goodbye first", async () => {
    const node = await startNode({ handler: ACCEPT });
    const stranger = await startNode({
      backend: fixedBackend(OTHER_DIGEST),
      bootnodes: [node],
      options: { forkDigests: [OTHER_DIGEST] },
    });
    await until("it is gone", () => node.backend.gone.includes(stranger.network.peerId));
    expect(node.backend.statuses.size).toBe(0);
    expect(node.network.counters().irrelevantPeers + stranger.network.counters().irrelevantPeers).toBeGreaterThan(0);
  });

  it("keeps a peer that is at a fork digest whose topics it subscribes to", async () => {
    const node = await startNode({ handler: ACCEPT, options: { forkDigests: [DIGEST, OTHER_DIGEST] } });
    node.network.subscribe({ name: "beacon_block", forkDigest: OTHER_DIGEST, handler: ACCEPT });
    const ahead = await startNode({
      handler: ACCEPT,
      backend: fixedBackend(OTHER_DIGEST),
      bootnodes: [node],
    });
    await until("its status is known", () => node.backend.statuses.has(ahead.network.peerId));
    await untilMeshed([node, ahead]);
    expect(node.network.counters().irrelevantPeers).toBe(0);
  });

  it("keeps a peer that speaks no req/resp at all", async () => {
    const node = await startNode({ handler: ACCEPT });
    const listener = await startRawPeer();
    await listener.connect(node);
    await until("it is in the mesh", () => node.network.peers()[0]?.meshTopics.length === 1);
    expect(node.backend.statuses.size).toBe(0);
  });
});

/** Opens a stream of `protocol` from a raw peer and writes `bytes`. */
async function rawRequest(connection: Connection, protocol: Protocol, bytes: Uint8Array): Promise<Stream> {
  const stream = await connection.newStream(protocol.id);
  stream.send(bytes);
  return stream;
}
async function answerOf(stream: Stream, protocol: Protocol): Promise<ResponseChunk[]> {
  const reader = createByteReader(stream);
  const chunks: ResponseChunk[] = [];
  for (let chunk = await readChunk(reader, protocol); chunk !== null; chunk = await readChunk(reader, protocol)) {
    chunks.push(chunk);
  }
  await stream.close();
  return chunks;
}

describe("req/resp server", () => {
  async function startServer(): Promise<{ node: TestNode; peer: RawPeer; connection: Connection }> {
    const node = await startNode({ handler: ACCEPT, backend: fixedBackend(DIGEST, BLOCKS) });
    const peer = await startRawPeer();
    return { node, peer, connection: await peer.connect(node) };
  }

  it("answers ping, metadata, and the older Status", async () => {
    const { node, peer, connection } = await startServer();
    const ping = await rawRequest(connection, PING_V1, encodePayload(encodeUint64(7n)));
    expect((await answerOf(ping, PING_V1))[0]?.ssz.length).toBe(8);
    const metadata = await rawRequest(connection, METADATA_V3, new Uint8Array());
    expect((await answerOf(metadata, METADATA_V3))[0]?.ssz.length).toBe(25);
    const request = encodePayload(encodeStatus(statusOf(DIGEST), STATUS_V1_SIZE));
    const status = await rawRequest(connection, STATUS_V1, request);
    expect((await answerOf(status, STATUS_V1))[0]?.ssz.length).toBe(84);
    expect(node.backend.statuses.get(peer.peerId)).toEqual({ ...statusOf(DIGEST), earliestAvailableSlot: 0 });
  });

  const range = (startSlot: number, count: number) => encodeBlocksByRange({ startSlot, count });
  const flip = (bytes: Uint8Array, index: number) => {
    const copy = Uint8Array.from(bytes);
    copy[index] = (copy[index] ?? 0) ^ 1;
    return copy;
  };
  it.each([
    ["a length out of bounds", BLOCKS_BY_RANGE_V2, encodePayload(new Uint8Array(25))],
    ["a huge length", BLOCKS_BY_RANGE_V2, Buffer.from("ffffffffffffffffff01", "hex")],
    ["an endless length", BLOCKS_BY_RANGE_V2, new Uint8Array(11).fill(0x80)],
    ["no stream identifier", BLOCKS_BY_RANGE_V2, Buffer.from("1801000000", "hex")],
    ["a wrong checksum", BLOCKS_BY_RANGE_V2, flip(encodePayload(range(0, 1)), 16)],
    ["a count of zero", BLOCKS_BY_RANGE_V2, encodePayload(range(0, 0))],
    ["another step than 1", BLOCKS_BY_RANGE_V2, encodePayload(new Uint8Array(24).fill(2))],
    ["half a root", BLOCKS_BY_ROOT_V2, encodePayload(new Uint8Array(48))],
    ["a slot beyond every chain", STATUS_V2, encodePayload(new Uint8Array(92).fill(0xff))],
  ])("refuses a request with %s, and counts it", async (_, protocol, bytes) => {
    const { node, connection } = await startServer();
    const stream = await rawRequest(connection, protocol, bytes);
    await expect(answerOf(stream, protocol)).rejects.toMatchObject({ code: "PEER_REFUSED", fields: { result: 1 } });
    expect(node.network.counters().badRequests).toBe(1);
    expect(node.network.peers().length).toBe(1);
  });

  it("refuses more blocks than the quota allows, and recovers", async () => {
    const { node, connection } = await startServer();
    const ask = async () => {
      const stream = await rawRequest(connection, BLOCKS_BY_RANGE_V2, encodePayload(range(100, 128)));
      return answerOf(stream, BLOCKS_BY_RANGE_V2);
    };
    for (let i = 0; i < 8; i++) expect(await ask()).toEqual([]);
    await expect(ask()).rejects.toMatchObject({ code: "PEER_REFUSED", fields: { result: 139 } });
    expect(node.network.counters().rateLimitedRequests).toBe(1);
  });
});

describe("req/resp client", () => {
  /** A node connected to a peer that answers Status as told. */
  async function ask(answer: (stream: Stream) => void): Promise<{ node: TestNode; peer: RawPeer }> {
    const node = await startNode({ handler: ACCEPT });
    const peer = await startRawPeer();
    await handleStatus(peer.libp2p, answer);
    await peer.connect(node);
    return { node, peer };
  }
  const handleStatus = (libp2p: Libp2p, answer: (stream: Stream) => void) => libp2p.handle(STATUS_V2.id, answer);
  const good = encodeChunk({ context: new Uint8Array(), ssz: encodeStatus(statusOf(DIGEST), 92) });

  it.each([
    ["a wrong length", Buffer.concat([Uint8Array.of(0), encodePayload(new Uint8Array(91))])],
    ["half an answer", good.subarray(0, 40)],
    ["no answer", new Uint8Array()],
    ["a wrong checksum", Buffer.concat([good.subarray(0, -1), Uint8Array.of(9)])],
    ["an epoch beyond every chain", encodeChunk({ context: new Uint8Array(), ssz: new Uint8Array(92).fill(0xff) })],
  ])("reports BAD_RESPONSE on %s", async (_, bytes) => {
    const { node, peer } = await ask((stream) => {
      if (bytes.length > 0) stream.send(bytes);
      void stream.close();
    });
    await expect(node.network.requestStatus(peer.peerId)).rejects.toMatchObject({ code: "BAD_RESPONSE" });
    expect(node.network.counters().badResponses).toBeGreaterThan(0);
  });

  it("reports REQUEST_FAILED with the peer's words, kept printable", async () => {
    const words = Buffer.concat([Uint8Array.of(3), encodePayload(Buffer.from("not\nhere\u001b[2J"))]);
    const { node, peer } = await ask((stream) => {
      stream.send(words);
      void stream.close();
    });
    await expect(node.network.requestStatus(peer.peerId)).rejects.toMatchObject({
      code: "REQUEST_FAILED",
      message: expect.stringMatching(/error 3: not\?here\?\[2J$/),
    });
  });

  it("reports REQUEST_FAILED when the peer resets the stream", async () => {
    const { node, peer } = await ask((stream) => stream.abort(new Error("no")));
    await expect(node.network.requestStatus(peer.peerId)).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  });

  it("reports REQUEST_TIMEOUT when the peer is silent for 5 s", async () => {
    const { node, peer } = await ask(() => {});
    await expect(node.network.requestStatus(peer.peerId)).rejects.toMatchObject({ code: "REQUEST_TIMEOUT" });
    expect(node.network.counters().requestTimeouts).toBeGreaterThan(0);
  });
});
