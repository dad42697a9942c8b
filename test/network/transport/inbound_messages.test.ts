import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { describe, expect, it } from "vitest";
import { MAX_PENDING_VERDICTS, VAIN_CALLS_BURST } from "../../../src/network/boundary.ts";
import type { Cure } from "../../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../../src/network/cures/index.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import type { GossipsubInternals } from "../../../src/network/gossipsub_internals.ts";
import { LIMITS } from "../../../src/network/guard/limits.ts";
import { computeMessageId, messageIdToString } from "../../../src/network/message_id.ts";
import { promptMessages } from "../../../src/network/transport/inbound_messages.ts";
import { FAST_STACK, type TransportStack } from "../../../src/network/transport/stack.ts";
import { ACCEPT, EXIT_TOPIC, exitBytes, IGNORE, REJECT, startNode, type TestNode, until } from "../nodes.ts";
import { startRawPeer } from "../raw_peer.ts";

const WITHOUT: TransportStack = { ...FAST_STACK, gossip: FAST_STACK.gossip.filter((part) => part !== promptMessages) };

const message = (seed: number): RPC.Message => ({ topic: EXIT_TOPIC, data: compressBlock(exitBytes(seed)) });
/** As many as one wants, no two alike. */
function numbered(i: number): RPC.Message {
  const payload = Buffer.from(exitBytes(1));
  payload.writeUInt32LE(i);
  return { topic: EXIT_TOPIC, data: compressBlock(payload) };
}
const idOf = ({ topic, data = new Uint8Array() }: RPC.Message) =>
  messageIdToString(computeMessageId(topic, data, 1132));

/** The same payload as one literal: other bytes, the same id. */
function otherEncoding(seed: number): RPC.Message {
  const payload = exitBytes(seed);
  const length = payload.length;
  const header = [(length & 0x7f) | 0x80, length >> 7, 61 << 2, (length - 1) & 0xff, (length - 1) >> 8];
  return { topic: EXIT_TOPIC, data: Buffer.concat([Uint8Array.from(header), payload]) };
}

async function startWatched(stack: TransportStack, handler: typeof ACCEPT) {
  const inside = Promise.withResolvers<GossipsubInternals>();
  const duplicates: string[] = [];
  const spy: Cure = {
    name: "spy",
    install({ pubsub }) {
      inside.resolve(pubsub);
      const duplicateMessage = pubsub.score.duplicateMessage.bind(pubsub.score);
      pubsub.score.duplicateMessage = (from, messageId, topic) => {
        duplicates.push(messageId);
        duplicateMessage(from, messageId, topic);
      };
    },
  };
  const node: TestNode = await startNode({ handler, stack, cures: [...ALL_CURES, spy] });
  return { node, pubsub: await inside.promise, duplicates };
}

describe.each([
  ["prompt", FAST_STACK],
  ["the library's", WITHOUT],
])("messages, %s", (_, stack) => {
  it("are judged once each and in order; copies count as such, also when they are encoded otherwise", async () => {
    const { node, pubsub, duplicates } = await startWatched(stack, ACCEPT);
    const [sender, hearer] = [await startRawPeer([]), await startRawPeer()];
    await sender.connect(node);
    await hearer.connect(node);
    await until("one is in the mesh", () => [...pubsub.mesh.values()].some((peers) => peers.has(hearer.peerId)));
    const all = [1, 2, 3, 4].map(message);
    sender.send({ messages: all.slice(0, 3) });
    sender.send({ messages: [message(1), otherEncoding(2)] });
    sender.send({ messages: all.slice(3) });
    await until("all are judged", () => node.verdicts.length === 4);
    await until("all are forwarded", () => hearer.messages.length === 4);
    expect(hearer.messages.map(idOf)).toEqual(all.map(idOf));
    expect(duplicates).toEqual([idOf(message(1)), idOf(message(2))]);
    expect(all.every((one) => pubsub.seenCache.entries.has(idOf(one)))).toBe(true);
    expect(pubsub.mcache.msgs.get(idOf(message(4)))?.validated).toBe(true);
  });

  it("that come with control are handled, as is the control", async () => {
    const { node, pubsub } = await startWatched(stack, ACCEPT);
    const sender = await startRawPeer();
    await sender.connect(node);
    await until("it is in the mesh", () => [...pubsub.mesh.values()].some((peers) => peers.has(sender.peerId)));
    const control = { ihave: [], iwant: [], graft: [], idontwant: [], prune: [{ topicID: EXIT_TOPIC, peers: [] }] };
    sender.send({ messages: [message(1)], control });
    await until("it is judged", () => node.verdicts.length === 1);
    await until("it has left the mesh", () => [...pubsub.mesh.values()].every((peers) => !peers.has(sender.peerId)));
  });

  it("that are signed, or on topics that we have not joined, reach no handler, and those beside them do", async () => {
    const { node, pubsub } = await startWatched(stack, ACCEPT);
    const sender = await startRawPeer([]);
    await sender.connect(node);
    const topic = EXIT_TOPIC.replace("triggered_exit", "beacon_attestation_1");
    sender.send({ messages: [{ ...message(1), from: new Uint8Array(8) }] });
    sender.send({ messages: [{ ...message(2), topic }, message(3)] });
    sender.send({ messages: [{ ...message(4), topic: "/novel" }, { topic: EXIT_TOPIC }] });
    sender.send({ messages: [message(5)] });
    await until(
      "the plain ones are judged",
      () => node.verdicts.length >= 2 && pubsub.mcache.msgs.has(idOf(message(5))),
    );
    expect(node.network.counters().signedMessages).toBe(1);
    const kept = [...pubsub.mcache.msgs.keys()].filter((id) => id !== idOf({ topic: EXIT_TOPIC }));
    expect(kept.sort()).toEqual([message(3), message(5)].map(idOf).sort());
  });

  it.each([
    ["ignored", IGNORE, true],
    ["rejected", REJECT, false],
  ])("that are %s are not forwarded", async (_result, handler, isUnpunished) => {
    const { node, pubsub } = await startWatched(stack, handler);
    const [sender, hearer] = [await startRawPeer([]), await startRawPeer()];
    await sender.connect(node);
    await hearer.connect(node);
    sender.send({ messages: [message(1)] });
    await until("it is judged", () => node.verdicts.length === 1);
    expect(pubsub.mcache.msgs.size).toBe(0);
    expect(hearer.messages).toEqual([]);
    await until("its sender's score tells", () => node.network.peers().some(({ score }) => score < 0) !== isUnpunished);
  });
});

it("messages, prompt: of a peer that was hung up for those before them are not looked at", async () => {
  const { node } = await startWatched(FAST_STACK, REJECT);
  const sender = await startRawPeer([]);
  await sender.connect(node);
  const allowed = LIMITS.rejected.burst;
  sender.send({ messages: Array.from({ length: allowed + 10 }, (_, i) => message(i)) });
  await until("it is hung up", () => node.network.disconnects()[LIMITS.rejected.reason] === 1);
  await until("its connection has ended", () => node.network.peers().length === 0);
  expect(node.verdicts.map(({ verdict }) => verdict.code)).toEqual(new Array(allowed + 1).fill("BAD_COUNT"));
});

describe("messages, prompt: of a peer that brings many in vain", () => {
  it("are looked at 64 in a turn, and of another at once", async () => {
    const { node, pubsub } = await startWatched(FAST_STACK, (data, { peerId }) =>
      peerId === honest.peerId ? ACCEPT(data, {} as never) : IGNORE(data, {} as never),
    );
    const [sender, honest] = [await startRawPeer([]), await startRawPeer([])];
    await sender.connect(node);
    await honest.connect(node);
    /** Messages looked at, by turn. */
    const turns: number[] = [];
    let inTurn = 0;
    const put = pubsub.seenCache.put.bind(pubsub.seenCache);
    pubsub.seenCache.put = (key, value) => {
      if (inTurn++ === 0) {
        setImmediate(() => {
          turns.push(inTurn);
          inTurn = 0;
        });
      }
      return put(key, value);
    };
    const control = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [{ messageIDs: [new Uint8Array(20)] }] };
    sender.send({ messages: Array.from({ length: 700 }, (_, i) => numbered(i)), control });
    await until("all are known", () => pubsub.seenCache.entries.size === 700);
    // In the first, those that are judged at once: the more, the slower the machine.
    const [, ...later] = turns;
    expect(Math.max(...later)).toBe(64);
    honest.send({ messages: [numbered(1000)] });
    await until("another's is judged", () => node.verdicts.some(({ peerId }) => peerId === honest.peerId));
  });

  it("find the queue full that they would fill, and are not looked at", async () => {
    const { node, pubsub } = await startWatched(FAST_STACK, IGNORE);
    const sender = await startRawPeer([]);
    await sender.connect(node);
    // What is too much of it stays below what has a peer hung up for crowding.
    const count = 2000;
    const mayWait = VAIN_CALLS_BURST + 1 + MAX_PENDING_VERDICTS;
    sender.send({ messages: Array.from({ length: count }, (_, i) => numbered(i)) });
    const dropped = () => node.verdicts.filter(({ verdict }) => verdict.code === "QUEUE_FULL").length;
    // On a slow machine the queue has room again before all have come.
    await until("most of what is too much is dropped", () => dropped() >= (count - mayWait) / 2);
    expect(node.network.counters().queueFull).toBe(dropped());
    expect(pubsub.seenCache.entries.size).toBeLessThanOrEqual(count - dropped());
    expect(node.network.peers().length).toBe(1);
  });
});
