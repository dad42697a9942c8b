import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { describe, expect, it } from "vitest";
import { VAIN_CALLS_BURST, VAIN_CALLS_PER_SECOND } from "../../../src/network/boundary.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import { LIMITS } from "../../../src/network/guard/limits.ts";
import type { GossipHandler } from "../../../src/network/network.ts";
import {
  ACCEPT,
  DIGEST,
  EXIT,
  exitBytes,
  IGNORE,
  REJECT,
  startNode,
  type TestNode,
  until,
  untilHeartbeats,
  untilMeshed,
} from "../nodes.ts";
import { type RawPeer, startRawPeer } from "../raw_peer.ts";
import { type FloodName, flood, prepareFlood } from "./floods.ts";

const HONEST_SEED = 7;
const UNJUDGED = ["QUEUE_FULL", "PEER_GONE"];

const isPeerOf = (node: TestNode, peer: RawPeer) => node.network.peers().some(({ peerId }) => peerId === peer.peerId);

/** A node with an honest one on each side, and a peer that will flood the middle. */
async function setUp(handler: GossipHandler) {
  const first = await startNode({ handler: ACCEPT });
  const target = await startNode({ handler: judgeHonest(handler), bootnodes: [first] });
  const last = await startNode({ handler: ACCEPT, bootnodes: [target] });
  await untilMeshed([first, last], 1);
  await untilMeshed([target], 2);
  const peer = await startRawPeer();
  const connection = await peer.connect(target);
  await untilHeartbeats(target, 1);
  return { first, target, last, peer, connection };
}

/** What the honest neighbours send is accepted, whatever the flood's verdict. */
function judgeHonest(handler: GossipHandler): GossipHandler {
  const honest = Buffer.from(compressBlock(exitBytes(HONEST_SEED)));
  return (data, context) => (honest.equals(data) ? ACCEPT : handler)(data, context);
}

/** `reasons`: of those that are possible, by what the target was able to look at before it had read all. */
async function expectHungUp(target: TestNode, peer: RawPeer, ...reasons: string[]): Promise<void> {
  await until("it is gone", () => !isPeerOf(target, peer));
  const disconnects = Object.entries(target.network.disconnects());
  expect(disconnects).toEqual([[expect.toBeOneOf(reasons), 1]]);
  const [address = ""] = target.network.multiaddrs();
  // A dialer may think that it got through until it is told.
  const redial = await peer.libp2p.dial(multiaddr(address)).catch(() => null);
  await until("the redial is refused", () => redial === null || redial.status !== "open");
  expect(isPeerOf(target, peer)).toBe(false);
}

describe("flood below gossip", () => {
  /** Sends 10,000 a second through `send` until the peer is gone, and expects the reason. */
  async function floodBelow(send: (connection: Connection, peer: RawPeer) => Promise<() => void>, reason: string) {
    const { target, peer, connection } = await setUp(ACCEPT);
    const sendOne = await send(connection, peer);
    const one = Buffer.of();
    const sendBatch = () => {
      for (let i = 0; i < 100 && connection.status === "open"; i++) sendOne();
    };
    await flood(new Array(400).fill(one), sendBatch, () => connection.status !== "open");
    await expectHungUp(target, peer, reason);
  }
  type Yamux = {
    sendFrame(header: { type: number; flag: number; streamID: number; length: number }, data?: unknown): void;
  };
  const yamuxOf = (connection: Connection) => (connection as unknown as { muxer: Yamux }).muxer;
  const frames = (header: (i: number) => Parameters<Yamux["sendFrame"]>[0]) => async (connection: Connection) => {
    let sent = 0;
    return () => yamuxOf(connection).sendFrame(header(sent++));
  };

  it("of yamux pings ends", async () => {
    const send = frames((i) => ({ type: 2, flag: 1, streamID: 0, length: i }));
    await floodBelow(send, "MUXER_FLOOD");
  });
  it("of yamux streams ends", async () => {
    const send = frames((i) => ({ type: 1, flag: 1, streamID: 1001 + 2 * i, length: 0 }));
    await floodBelow(send, "STREAM_CHURN");
  });
  it("of yamux window updates ends", async () => {
    const send = frames(() => ({ type: 1, flag: 0, streamID: 9999, length: 1 }));
    await floodBelow(send, "MUXER_FLOOD");
  });
  it("of libp2p pings ends", async () => {
    const send = async (connection: Connection) => {
      const stream = await connection.newStream("/ipfs/ping/1.0.0");
      return () => void stream.send(new Uint8Array(32));
    };
    await floodBelow(send, "PING_FLOOD");
  });
  it("of lengths without end, in a stream's negotiation, ends at the third byte", async () => {
    const { target, peer, connection } = await setUp(ACCEPT);
    const { muxer } = connection as unknown as { muxer: { createStream(): Promise<Stream> } };
    const stream = await muxer.createStream();
    stream.send(new Uint8Array(1000).fill(0xff));
    await expectHungUp(target, peer, "BAD_NEGOTIATION");
  });
  it("of gossip streams ends", async () => {
    const { target, peer, connection } = await setUp(ACCEPT);
    for (let i = 0; i < 4 * LIMITS.gossipStreams.burst && connection.status === "open"; i++) {
      await connection.newStream("/meshsub/1.1.0").catch(() => {});
    }
    await expectHungUp(target, peer, "STREAM_CHURN");
  });
  it("of connections ends, and counts what came before", async () => {
    const { target, peer, connection } = await setUp(ACCEPT);
    const [address = ""] = target.network.multiaddrs();
    await connection.close();
    // The target learns who dialed last of all: aborted before that, a connection is nobody's.
    for (
      let i = 0;
      i < 2 * LIMITS.connections.burst && target.network.disconnects().CONNECTION_CHURN === undefined;
      i++
    ) {
      const again = await peer.libp2p.dial(multiaddr(address)).catch(() => null);
      if (again === null) continue;
      await until("it is known", () => isPeerOf(target, peer) || again.status !== "open");
      again.abort(new Error("churn"));
      await until("it is forgotten", () => !isPeerOf(target, peer));
    }
    await expectHungUp(target, peer, "CONNECTION_CHURN");
  });
});

describe("flood of", () => {
  // What is judged, known or backed off is so a turn later: a target that falls behind reads the frames of that turn first.
  it.each<[FloodName, string, GossipHandler, string?]>([
    ["empty frames", "EMPTY_FRAMES", ACCEPT],
    ["frames that do not decode", "MALFORMED_FRAMES", ACCEPT],
    ["RPCs that say nothing", "EMPTY_FRAMES", ACCEPT],
    ["messages on unknown topics", "UNKNOWN_TOPICS", ACCEPT],
    ["messages on a topic that we have not joined", "UNKNOWN_TOPICS", ACCEPT],
    ["messages", "RPC_RATE", IGNORE],
    ["messages", "REJECTED_SPAM", REJECT, "RPC_RATE"],
    ["one message again and again", "DUPLICATE_SPAM", ACCEPT, "RPC_RATE"],
    ["messages with a from field", "REJECTED_SPAM", ACCEPT, "RPC_RATE"],
    ["subscriptions", "SUBSCRIPTION_FLOOD", ACCEPT],
    ["subscriptions to novel topics", "SUBSCRIPTION_FLOOD", ACCEPT],
    ["IHAVE", "IHAVE_FLOOD", ACCEPT],
    ["IWANT", "IWANT_FLOOD", ACCEPT],
    ["GRAFT", "GRAFT_FLOOD", ACCEPT],
    ["GRAFT in backoff", "GRAFT_IN_BACKOFF", ACCEPT, "GRAFT_FLOOD"],
    ["GRAFT of novel topics", "UNKNOWN_TOPICS", ACCEPT],
    ["PRUNE", "PRUNE_FLOOD", ACCEPT],
    ["IDONTWANT", "IDONTWANT_FLOOD", ACCEPT],
  ])("%s ends, by %s", async (name, reason, handler, otherReason = reason) => {
    const batches = prepareFlood(name);
    const { first, target, last, peer, connection } = await setUp(handler);
    const elapsedMs = await flood(batches, peer.sendBytes, () => connection.status !== "open");
    await expectHungUp(target, peer, reason, otherReason);
    const calls = target.verdicts.filter(
      ({ peerId, verdict }) => peerId === peer.peerId && !UNJUDGED.includes(verdict.code),
    );
    // Below 100 in the 0.2 s that the flood lasts where the machine keeps up.
    const allowed = VAIN_CALLS_BURST + (VAIN_CALLS_PER_SECOND * elapsedMs) / 1000 + 1;
    expect(calls.length).toBeLessThanOrEqual(allowed);
    await first.network.publish(EXIT, DIGEST, exitBytes(HONEST_SEED));
    await until("honest peers still hear each other", () => last.verdicts.length === 1);
    expect(target.network.peers().length).toBe(2);
  });
});
