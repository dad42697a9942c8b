import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cure } from "../../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../../src/network/cures/index.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import type { GossipsubInternals } from "../../../src/network/gossipsub_internals.ts";
import { frameOf } from "../../../src/network/transport/outbound_rpcs.ts";
import { ACCEPT, DIGEST, EXIT, EXIT_TOPIC, exitBytes, startNode, type TestNode, until } from "../nodes.ts";
import { controlRpc, encodeFrame, startRawPeer } from "../raw_peer.ts";

const SEED = 20_261_122;

/** From a peer that is not in the mesh, so that the node forwards it. */
async function sendForForwarding(node: TestNode, seed: number): Promise<void> {
  const source = await startRawPeer([]);
  await source.connect(node);
  source.send({ messages: [{ topic: EXIT_TOPIC, data: compressBlock(exitBytes(seed)) }] });
  await until("it is judged", () => node.verdicts.length === 1);
}

/** A node whose gossipsub can be looked into, and what it writes to each peer, frame by frame. */
async function startWatched(): Promise<{ node: TestNode; pubsub: GossipsubInternals; sent(peerId: string): Buffer[] }> {
  const inside = Promise.withResolvers<GossipsubInternals>();
  const spy: Cure = { name: "spy", install: ({ pubsub }) => inside.resolve(pubsub) };
  const node = await startNode({ handler: ACCEPT, cures: [...ALL_CURES, spy] });
  const pubsub = await inside.promise;
  const frames = new Map<string, Buffer[]>();
  const { streamsOutbound } = pubsub;
  const set = streamsOutbound.set.bind(streamsOutbound);
  streamsOutbound.set = (peerId, stream) => {
    const own: Buffer[] = [];
    frames.set(peerId, own);
    const pushPrefixed = stream.pushPrefixed.bind(stream);
    // `push`, the library's own way, ends here as well.
    stream.pushPrefixed = (frame) => {
      own.push(Buffer.from(frame.subarray()));
      pushPrefixed(frame);
    };
    return set(peerId, stream);
  };
  return { node, pubsub, sent: (peerId) => frames.get(peerId) ?? [] };
}

describe("shared encoding", () => {
  it("makes of every message what the library makes, behind its length", () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
    const message = fc.record(
      {
        topic: fc.oneof(fc.constant(EXIT_TOPIC), fc.string({ maxLength: 200, unit: "binary" })),
        data: fc.oneof(
          bytes(300),
          fc.integer({ min: 0, max: 70_000 }).map((size) => new Uint8Array(size).fill(7)),
        ),
        from: bytes(40),
        seqno: bytes(8),
        signature: bytes(64),
        key: bytes(40),
      },
      { requiredKeys: ["topic"] },
    );
    fc.assert(
      fc.property(message, (made) => {
        expect(Buffer.compare(frameOf(made), encodeFrame({ messages: [made] }))).toBe(0);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("encodes once for all peers, and adds what waits for a peer to that peer's RPC alone", async () => {
    const { node, pubsub, sent } = await startWatched();
    const peers = await Promise.all([startRawPeer(), startRawPeer(), startRawPeer()]);
    for (const peer of peers) await peer.connect(node);
    await until("all are in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 3);
    const [waiting, ...plain] = peers.map(({ peerId }) => peerId) as [string, string, string];
    await untilHeartbeats(node, 1);
    const before = new Map(peers.map(({ peerId }) => [peerId, sent(peerId).length]));
    const ihave = [{ topicID: EXIT_TOPIC, messageIDs: [new Uint8Array(20).fill(9)] }];
    // A heartbeat would send it alone.
    node.verdicts.length = 0;
    pubsub.gossip.set(waiting, ihave);
    await sendForForwarding(node, 1);
    const messages = [{ topic: EXIT_TOPIC, data: compressBlock(exitBytes(1)) }];
    const newTo = (peerId: string) => sent(peerId).slice(before.get(peerId));
    for (const peerId of plain) expect(newTo(peerId)).toEqual([Buffer.from(encodeFrame({ messages }))]);
    const [withGossip, ...more] = newTo(waiting).map((frame) => RPC.decode(frame.subarray(2)));
    expect(more).toEqual([]);
    expect(withGossip?.messages.map(({ topic }) => topic)).toEqual([EXIT_TOPIC]);
    expect(withGossip?.control?.ihave).toEqual(ihave);
    expect(pubsub.gossip.has(waiting)).toBe(false);
    await until("all have it", () => peers.every((peer) => peer.messages.length === 1));
  });

  it("sends retries of control with the message, and not to a peer whose stream is gone", async () => {
    const { node, pubsub, sent } = await startWatched();
    const peers = await Promise.all([startRawPeer(), startRawPeer()]);
    for (const peer of peers) await peer.connect(node);
    await until("both are in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 2);
    const [first, second] = peers.map(({ peerId }) => peerId) as [string, string];
    pubsub.control.set(first, { ...controlRpc({}).control, graft: [{ topicID: EXIT_TOPIC }] });
    const before = sent(first).length;
    const beforeSecond = sent(second).length;
    pubsub.streamsOutbound.delete(second);
    await sendForForwarding(node, 2);
    const [rpc] = sent(first)
      .slice(before)
      .map((frame) => RPC.decode(frame.subarray(2)));
    expect(rpc?.messages.length).toBe(1);
    expect(rpc?.control?.graft).toEqual([{ topicID: EXIT_TOPIC }]);
    expect(sent(second).length).toBe(beforeSecond);
  });
});
