import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cure } from "../../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../../src/network/cures/index.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import type { GossipsubInternals } from "../../../src/network/gossipsub_internals.ts";
import type { GossipHandler } from "../../../src/network/network.ts";
import { frameOf } from "../../../src/network/transport/outbound_rpcs.ts";
import { ACCEPT, DIGEST, EXIT, EXIT_TOPIC, exitBytes, startNode, type TestNode, until } from "../nodes.ts";
import { controlRpc, encodeFrame, startRawPeer } from "../raw_peer.ts";

const SEED = 20_261_122;

type WatchedNode = TestNode & { judge(by: GossipHandler): void };

/** From a peer that is not in the mesh, so that the node forwards it; `before` that, in the same turn. */
async function sendForForwarding(node: WatchedNode, seed: number, before: () => unknown): Promise<void> {
  node.judge(() => {
    before();
    return { result: "accept", code: "VALID" };
  });
  const source = await startRawPeer([]);
  await source.connect(node);
  source.send({ messages: [{ topic: EXIT_TOPIC, data: compressBlock(exitBytes(seed)) }] });
  await until("it is judged", () => node.verdicts.length === 1);
}

/** A node whose gossipsub can be looked into, and what it writes to each peer, frame by frame. */
async function startWatched(): Promise<{
  node: WatchedNode;
  pubsub: GossipsubInternals;
  sent(peerId: string): Buffer[];
}> {
  let judge = ACCEPT;
  const inside = Promise.withResolvers<GossipsubInternals>();
  const spy: Cure = { name: "spy", install: ({ pubsub }) => inside.resolve(pubsub) };
  const handler: GossipHandler = (data, context) => judge(data, context);
  const started = await startNode({ handler, cures: [...ALL_CURES, spy] });
  const node = {
    ...started,
    judge(by: GossipHandler) {
      judge = by;
    },
  };
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
        topic: fc.constantFrom(EXIT_TOPIC, "", "topic", "ü€😀", "x".repeat(127), "x".repeat(128)),
        // Around the borders of their length's encoding.
        data: fc.oneof(
          bytes(40),
          fc.constantFrom(0, 127, 128, 1132, 16_300).map((size) => new Uint8Array(size)),
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
      { seed: SEED, numRuns: 100 },
    );
  });

  it("encodes once for all peers, and adds what waits for a peer to that peer's RPC alone", async () => {
    const { node, pubsub, sent } = await startWatched();
    const peers = await Promise.all([startRawPeer(), startRawPeer(), startRawPeer()]);
    for (const peer of peers) await peer.connect(node);
    await until("all are in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 3);
    const [waiting, ...plain] = peers.map(({ peerId }) => peerId) as [string, string, string];
    const before = new Map(peers.map(({ peerId }) => [peerId, sent(peerId).length]));
    const ihave = [{ topicID: EXIT_TOPIC, messageIDs: [new Uint8Array(20).fill(9)] }];
    await sendForForwarding(node, 1, () => pubsub.gossip.set(waiting, ihave));
    const messages = [{ topic: EXIT_TOPIC, data: compressBlock(exitBytes(1)) }];
    const newTo = (peerId: string) => sent(peerId).slice(before.get(peerId));
    for (const peerId of plain) expect(newTo(peerId)).toEqual([Buffer.from(encodeFrame({ messages }))]);
    const [withGossip, ...more] = newTo(waiting).map((frame) => RPC.decode(Uint8Array.from(frame.subarray(2))));
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
    const before = sent(first).length;
    const beforeSecond = sent(second).length;
    await sendForForwarding(node, 2, () => {
      pubsub.control.set(first, { ...controlRpc({}).control, graft: [{ topicID: EXIT_TOPIC }] });
      pubsub.streamsOutbound.delete(second);
    });
    const [rpc] = sent(first)
      .slice(before)
      .map((frame) => RPC.decode(Uint8Array.from(frame.subarray(2))));
    expect(rpc?.messages.length).toBe(1);
    expect(rpc?.control?.graft).toEqual([{ topicID: EXIT_TOPIC }]);
    expect(sent(second).length).toBe(beforeSecond);
  });
});
