import { randomBytes } from "node:crypto";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import { MAX_KNOWN_MESSAGES } from "../../src/network/cures/bounded_caches.ts";
import type { Cure, CureContext } from "../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../src/network/cures/index.ts";
import { MAX_PEER_RECORDS } from "../../src/network/cures/peer_records.ts";
import { MAX_BACKOFFS } from "../../src/network/cures/prune.ts";
import { MAX_SCORE_RECORDS } from "../../src/network/cures/retained_score.ts";
import { compressBlock } from "../../src/network/encoding.ts";
import { type GossipsubInternals, gossipsubInternals } from "../../src/network/gossipsub_internals.ts";
import { computeMessageId } from "../../src/network/message_id.ts";
import type { GossipHandler } from "../../src/network/network.ts";
import type { Verdict } from "../../src/validation/verdict.ts";
import {
  ACCEPT,
  DIGEST,
  EXIT,
  EXIT_TOPIC,
  exitBytes,
  REJECT,
  startNode,
  type TestNode,
  until,
  untilHeartbeats,
  untilMeshed,
} from "./nodes.ts";
import { controlRpc, encodeFrame, type RawPeer, startRawPeer } from "./raw_peer.ts";

const without = (name: string): Cure[] => ALL_CURES.filter((cure) => cure.name !== name);
const infoOf = (node: TestNode, peer: RawPeer) => node.network.peers().find(({ peerId }) => peerId === peer.peerId);
const scoreOf = (node: TestNode, peer: RawPeer) => infoOf(node, peer)?.score ?? 0;

const wireData = (seed: number) => compressBlock(exitBytes(seed));
const wireMessage = (seed: number) => ({ topic: EXIT_TOPIC, data: wireData(seed) });
const idOf = (seed: number) => computeMessageId(EXIT_TOPIC, wireData(seed), 1132);

type Inside = Pick<CureContext, "libp2p" | "pubsub">;
const spyOn = (tell: (inside: Inside) => unknown): Cure => ({ name: "spy", install: (context) => void tell(context) });

async function connectedPeer(node: TestNode, topics: string[] = []): Promise<RawPeer> {
  const peer = await startRawPeer(topics);
  await peer.connect(node);
  return peer;
}

describe("iwant", () => {
  const FENCE = 100;
  const SUSPECT = 1;

  /** How often the suspect came to a peer that asked for it before and during its verdict, after it, and to one in the mesh. */
  async function ask(result: Verdict["result"], cures: readonly Cure[]) {
    const held: ((verdict: Verdict) => void)[] = [];
    const handler: GossipHandler = () => new Promise((resolve) => void held.push(resolve));
    const node = await startNode({ handler, cures });
    const meshed = await connectedPeer(node, [EXIT_TOPIC]);
    const sender = await connectedPeer(node);
    const during = await connectedPeer(node);
    const after = await connectedPeer(node);
    await until("a peer is meshed", () => infoOf(node, meshed)?.meshTopics.length === 1);
    await node.network.publish(EXIT, DIGEST, exitBytes(FENCE));

    /** Asks for the suspect, and for a message that the node may serve: its arrival ends the wait. */
    async function iwant(peer: RawPeer) {
      const { length } = peer.messages;
      const iwant = [{ messageIDs: [idOf(SUSPECT), idOf(FENCE)] }];
      peer.send({ control: { ihave: [], iwant, graft: [], prune: [], idontwant: [] } });
      await until("the answer", () => peer.messages.slice(length).some(isMessage(FENCE)));
    }
    await iwant(during);
    sender.send({ messages: [wireMessage(SUSPECT)] });
    await until("the message is held", () => held.length === 1);
    await iwant(during);
    held[0]?.({ result, code: "VALID" });
    await until("it is judged", () => node.verdicts.length === 1);
    await iwant(after);
    await untilHeartbeats(node, 1);
    const count = (peer: RawPeer) => peer.messages.filter(isMessage(SUSPECT)).length;
    return { during: count(during), after: count(after), pushed: count(meshed) };
  }

  const isMessage =
    (seed: number) =>
    ({ data }: { data?: Uint8Array }) =>
      data !== undefined && Buffer.from(data).equals(wireData(seed));

  it("serves what was accepted, but not before", async () => {
    expect(await ask("accept", ALL_CURES)).toEqual({ during: 0, after: 1, pushed: 1 });
  });
  it("never serves what was ignored", async () => {
    expect(await ask("ignore", ALL_CURES)).toEqual({ during: 0, after: 0, pushed: 0 });
  });
  it("never serves what was rejected", async () => {
    expect(await ask("reject", ALL_CURES)).toEqual({ during: 0, after: 0, pushed: 0 });
  });
  it("would serve an invalid message before its verdict, without the cure", async () => {
    expect(await ask("reject", without("iwant"))).toEqual({ during: 1, after: 0, pushed: 0 });
  });
});

describe("strict_no_sign", () => {
  /** What arrives behind a node that gets one message with each forbidden field, and then a clean one. */
  async function relay(cures: readonly Cure[]) {
    const relayNode = await startNode({ handler: ACCEPT, cures });
    const arrived: Uint8Array[] = [];
    const handler: GossipHandler = (data) => {
      arrived.push(data);
      return { result: "accept", code: "VALID" };
    };
    const behind = await startNode({ handler, cures, bootnodes: [relayNode] });
    await untilMeshed([relayNode, behind], 1);
    const peer = await connectedPeer(relayNode);
    const bytes = new Uint8Array(8).fill(1);
    const forbidden = [
      { from: bytes },
      { from: new Uint8Array() },
      { seqno: bytes },
      { signature: bytes },
      { key: bytes },
    ];
    forbidden.forEach((fields, i) => {
      peer.send({ messages: [{ ...wireMessage(10 + i), ...fields }] });
    });
    peer.send({ messages: [wireMessage(20)] });
    await until("the clean one arrives", () => arrived.some((data) => Buffer.from(data).equals(wireData(20))));
    await until("the sender is scored", () => scoreOf(relayNode, peer) !== 0);
    return { relayed: arrived.length, refused: relayNode.network.counters().signedMessages };
  }

  it("refuses a message with from, seqno, signature or key", async () => {
    expect(await relay(ALL_CURES)).toEqual({ relayed: 1, refused: 5 });
  });
  it("would relay a message with from, without the cure", async () => {
    expect(await relay(without("strict_no_sign"))).toEqual({ relayed: 3, refused: 0 });
  });
  it("counts a message with from against its sender", async () => {
    const node = await startNode({ handler: ACCEPT });
    const peer = await connectedPeer(node);
    peer.send({ messages: [{ ...wireMessage(21), from: new Uint8Array(8) }] });
    await until("its score falls", () => scoreOf(node, peer) < 0);
    expect(node.verdicts).toEqual([]);
  });
});

describe("p2_double_count", () => {
  async function scoreOfOneAccept(cures: readonly Cure[]) {
    const node = await startNode({ handler: ACCEPT, cures });
    const peer = await connectedPeer(node);
    peer.send({ messages: [wireMessage(30)] });
    await until("the sender is rewarded", () => scoreOf(node, peer) > 0);
    return scoreOf(node, peer);
  }

  it("counts one accept once, which is counted twice without the cure", async () => {
    const cured = await scoreOfOneAccept(ALL_CURES);
    const stock = await scoreOfOneAccept(without("p2_double_count"));
    expect(Math.round(stock / cured)).toBe(2);
  });
});

describe("retained_score", () => {
  /** A peer that had a message rejected, left, and came back. */
  async function redial(cures: readonly Cure[]) {
    const node = await startNode({ handler: REJECT, cures });
    const peer = await startRawPeer([]);
    const connection = await peer.connect(node);
    peer.send({ messages: [wireMessage(40)] });
    await until("its score falls", () => scoreOf(node, peer) < 0);
    const scoreBefore = scoreOf(node, peer);
    await connection.close();
    await until("it has left", () => node.backend.gone.length === 1);
    await peer.connect(node);
    return { node, peer, scoreBefore };
  }

  it("remembers a bad score over a redial, so that the next rejected message weighs fourfold", async () => {
    const { node, peer, scoreBefore } = await redial(ALL_CURES);
    peer.send({ messages: [wireMessage(41)] });
    await until("both count", () => scoreOf(node, peer) < 3.5 * scoreBefore);
  });
  it("keeps the records of a bounded number of peers that left", async () => {
    let records = new Map<string, { connected: boolean }>();
    let cached = new Map<string, unknown>();
    const spy: Cure = {
      name: "spy",
      install({ pubsub: { score } }) {
        records = score.peerStats;
        cached = score.scoreCache;
        for (let i = 0; i <= MAX_SCORE_RECORDS; i++) {
          score.addPeer(`passer-by ${i}`);
          cached.set(`passer-by ${i}`, 0);
          (records.get(`passer-by ${i}`) as { connected: boolean }).connected = false;
        }
      },
    };
    const node = await startNode({ handler: ACCEPT, cures: [...ALL_CURES, spy] });
    const peer = await connectedPeer(node);
    expect(records.size).toBe(MAX_SCORE_RECORDS);
    expect([records, cached].map((map) => map.has("passer-by 1"))).toEqual([false, false]);
    expect(records.has(peer.peerId)).toBe(true);
  });
  it("would forget it, without the cure", async () => {
    const { node, peer } = await redial(without("retained_score"));
    await until("all is forgotten", () => infoOf(node, peer)?.score === 0);
  });
});

describe("outbound_watchdog", () => {
  async function resetStream(cures: readonly Cure[]) {
    const node = await startNode({ handler: ACCEPT, cures });
    const peer = await connectedPeer(node, [EXIT_TOPIC]);
    await untilHeartbeats(node, 2);
    peer.inbound[0]?.abort(new Error("a peer that stops listening"));
    return { node, peer };
  }

  it("hangs up a peer that no longer takes our stream", async () => {
    const { node, peer } = await resetStream(ALL_CURES);
    await until("it is hung up", () => infoOf(node, peer) === undefined);
    expect(node.network.counters().deafPeers).toBe(1);
  });
  it("hangs up a peer that does not read, when 16 MiB wait for it", async () => {
    const block = { name: "beacon_block", forkDigest: DIGEST, handler: ACCEPT } as const;
    const node = await startNode();
    node.network.subscribe(block);
    const peer = await connectedPeer(node, [EXIT_TOPIC.replace(EXIT, block.name)]);
    await until("it is in the mesh", () => infoOf(node, peer)?.meshTopics.length === 1);
    await untilHeartbeats(node, 2);
    peer.inbound[0]?.pause();
    for (let i = 0; i < 7; i++) await node.network.publish(block.name, DIGEST, randomBytes(3 * 1024 * 1024));
    await until("it is hung up", () => infoOf(node, peer) === undefined);
    expect(node.network.counters().deafPeers).toBe(1);
  });
  it("forgets a stream that came when its peer had left, which is kept for good without the cure", async () => {
    for (const [cures, left] of [
      [ALL_CURES, 0],
      [without("outbound_watchdog"), 1],
    ] as const) {
      let internals: Inside | undefined;
      const node = await startNode({ handler: ACCEPT, cures: [...cures, spyOn((inside) => (internals = inside))] });
      const peer = await connectedPeer(node, [EXIT_TOPIC]);
      if (internals === undefined) throw new Error("not installed");
      const { pubsub, libp2p } = internals;
      const [connection] = libp2p.getConnections();
      if (connection === undefined) throw new Error("not connected");
      pubsub.streamsOutbound.delete(peer.peerId);
      await pubsub.createOutboundStream(connection.remotePeer, {
        async newStream(...args) {
          const stream = await connection.newStream(...args);
          connection.abort(new Error("the peer leaves"));
          await until("it has left", () => !pubsub.peers.has(peer.peerId));
          return stream;
        },
      });
      await untilHeartbeats(node, 2);
      expect(pubsub.streamsOutbound.size).toBe(left);
    }
  });
  it("would keep it for good, without the cure", async () => {
    const { node, peer } = await resetStream(without("outbound_watchdog"));
    await untilHeartbeats(node, 3);
    expect(infoOf(node, peer)?.state).toBe("connected");
    expect(await node.network.publish(EXIT, DIGEST, exitBytes(50))).toMatchObject({ recipients: 0 });
  });
});

describe("inbound_frames", () => {
  /** Whether a node goes on listening to a peer after a frame larger than any. */
  async function sendOversize(cures: readonly Cure[]) {
    const node = await startNode({ handler: ACCEPT, cures });
    const peer = await startRawPeer();
    const connection = await peer.connect(node);
    await untilHeartbeats(node, 1);
    peer.sendBytes(Buffer.from("ffffff7f", "hex"));
    return { node, peer, connection };
  }

  it("hangs up after an oversize frame at once, and refuses the peer", async () => {
    const { node, connection } = await sendOversize(ALL_CURES);
    await until("it is hung up", () => connection.status !== "open");
    expect(node.network.disconnects()).toEqual({ OVERSIZE_FRAME: 1 });
  });
  it("would keep the connection, and take any number of bytes, without the cure", async () => {
    const cures = ALL_CURES.filter(({ name }) => !["inbound_frames", "outbound_watchdog"].includes(name));
    const { node, peer, connection } = await sendOversize(cures);
    for (let i = 0; i < 3; i++) {
      peer.sendBytes(new Uint8Array(1_000_000));
      await untilHeartbeats(node, 1);
    }
    expect(connection.status).toBe("open");
  });
  it("hangs up a peer whose frame does not come to its end", async () => {
    let skippedMs = 0;
    const monotonicMs = () => systemClock.monotonicMs() + skippedMs;
    const node = await startNode({ handler: ACCEPT, clock: { ...systemClock, monotonicMs } });
    const peer = await startRawPeer();
    const connection = await peer.connect(node);
    peer.sendBytes(Uint8Array.of(200, 1, 7));
    await untilHeartbeats(node, 2);
    expect(connection.status).toBe("open");
    skippedMs = 11_000;
    await until("it is hung up", () => connection.status !== "open");
    expect(node.network.disconnects()).toEqual({ SLOW_FRAME: 1 });
  });
  it("reads the newest stream of a peer, and ends the one before", async () => {
    const node = await startNode({ handler: ACCEPT });
    const peer = await startRawPeer();
    const connection = await peer.connect(node);
    const [first] = connection.streams.filter(({ direction, protocol }) => direction === "outbound" && protocol !== "");
    const second = await connection.newStream("/meshsub/1.1.0");
    second.send(encodeFrame({ messages: [wireMessage(60)] }));
    await until("it is read", () => node.verdicts.length === 1);
    await until("the first is ended", () => first?.status !== "open");
  });
});

describe("prune", () => {
  const OTHER_TOPIC = EXIT_TOPIC.replace(EXIT, "beacon_block");

  /** Leaves an unknown topic and the known one in one RPC, with the largest backoff there is. */
  async function leave(cures: readonly Cure[]) {
    let backoffs = new Map<string, Map<string, number>>();
    const spy: Cure = {
      name: "spy",
      install({ pubsub }) {
        backoffs = pubsub.backoff;
      },
    };
    const node = await startNode({ handler: ACCEPT, cures: [...cures, spy] });
    const peer = await connectedPeer(node, [EXIT_TOPIC]);
    await until("it is meshed", () => infoOf(node, peer)?.meshTopics.length === 1);
    const backoff = 2 ** 52;
    const prune = [OTHER_TOPIC, EXIT_TOPIC].map((topicID) => ({ topicID, peers: [], backoff }));
    peer.send(controlRpc({ prune }));
    peer.send({ messages: [wireMessage(70)] });
    await until("it is read", () => node.verdicts.length === 1);
    const untilMs = backoffs.get(EXIT_TOPIC)?.get(peer.peerId) ?? 0;
    return { meshTopics: infoOf(node, peer)?.meshTopics, untilMs };
  }

  it("leaves the topics that we know though others stand before them, for an hour at most", async () => {
    const { meshTopics, untilMs } = await leave(ALL_CURES);
    expect(meshTopics).toEqual([]);
    expect(untilMs).toBeGreaterThan(systemClock.nowMs() + 3_500_000);
    expect(untilMs).toBeLessThan(systemClock.nowMs() + 3_700_000);
  });
  it("keeps a bounded number of backoffs for each topic", async () => {
    let inside: Inside | undefined;
    await startNode({ handler: ACCEPT, cures: [...ALL_CURES, spyOn((found) => (inside = found))] });
    for (let i = 0; i <= MAX_BACKOFFS; i++) inside?.pubsub.doAddBackoff(`passer-by ${i}`, EXIT_TOPIC, 3_600_000);
    const backoffs = inside?.pubsub.backoff.get(EXIT_TOPIC);
    expect([backoffs?.size, backoffs?.has("passer-by 0")]).toEqual([MAX_BACKOFFS, false]);
  });
  it("would stay in the mesh, without the cure", async () => {
    const { meshTopics } = await leave(without("prune"));
    expect(meshTopics).toEqual([EXIT_TOPIC]);
  });
});

describe("bounded_caches", () => {
  /** How many entries each cache holds after a message, when it was full before. */
  async function fill(cures: readonly Cure[]) {
    let internals: GossipsubInternals | undefined;
    const spy: Cure = {
      name: "spy",
      install({ pubsub }) {
        internals = pubsub;
      },
    };
    const node = await startNode({ handler: ACCEPT, cures: [...cures, spy] });
    if (internals === undefined) throw new Error("not installed");
    const { seenCache, fastMsgIdCache, score } = internals;
    for (let i = 0; i < MAX_KNOWN_MESSAGES; i++) {
      for (const cache of [seenCache, fastMsgIdCache]) cache.put(`${i}`, `${i}`);
      score.deliveryRecords.ensureRecord(`${i}`);
    }
    const peer = await connectedPeer(node);
    peer.send({ messages: [wireMessage(80)] });
    await until("it is judged", () => node.verdicts.length === 1);
    return [seenCache.entries.size, fastMsgIdCache.entries.size, score.deliveryRecords.records.size];
  }

  it("forgets the oldest when there are too many", async () => {
    expect(await fill(ALL_CURES)).toEqual([MAX_KNOWN_MESSAGES, MAX_KNOWN_MESSAGES, MAX_KNOWN_MESSAGES]);
  });
  it("would keep them all, without the cure", async () => {
    const more = MAX_KNOWN_MESSAGES + 1;
    expect(await fill(without("bounded_caches"))).toEqual([more, more, more]);
  });
});

describe("peer_records", () => {
  const dataOf = ({ libp2p }: Inside) =>
    (libp2p as unknown as { components: { datastore: { data: Map<string, Uint8Array> } } }).components.datastore.data;

  /** Has a peer connect, then as many others pass by as there may be records. */
  async function passBy(cures: readonly Cure[]) {
    let inside: Inside | undefined;
    const node = await startNode({ handler: ACCEPT, cures: [...cures, spyOn((found) => (inside = found))] });
    const peer = await connectedPeer(node);
    if (inside === undefined) throw new Error("not installed");
    const { peerStore, peerId } = inside.libp2p;
    const random = seededRandom(90);
    for (let i = 0; i < MAX_PEER_RECORDS; i++) {
      const passerBy = peerIdFromPublicKey(publicKeyFromRaw(random.bytes(32)));
      await peerStore.merge(passerBy, { protocols: ["/a"] });
    }
    const records = [...dataOf(inside)];
    const has = (id: PeerId) => peerStore.has(id);
    return {
      count: records.length,
      ownBytesAlone: records.every(([, { buffer, byteLength }]) => buffer.byteLength === byteLength),
      isPeerKept: await has(peer.libp2p.peerId),
      isOwnKept: await has(peerId),
    };
  }

  it("keeps a bounded number of records, those of connected peers and its own among them", async () => {
    expect(await passBy(ALL_CURES)).toEqual({
      count: MAX_PEER_RECORDS,
      ownBytesAlone: true,
      isPeerKept: true,
      isOwnKept: true,
    });
  });
  it("would keep all, without the cure, and the memory around them", async () => {
    expect(await passBy(without("peer_records"))).toMatchObject({ count: MAX_PEER_RECORDS + 2, ownBytesAlone: false });
  });
});

describe("gossipsub internals", () => {
  it("refuses a library whose inner shape has changed, and names the part", () => {
    expect(() => gossipsubInternals({ peers: new Map() })).toThrow(/"mesh"/);
  });
});
