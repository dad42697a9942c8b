import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import type { Cure } from "../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../src/network/cures/index.ts";
import type { GossipsubInternals } from "../../src/network/gossipsub_internals.ts";
import { ACCEPT, EXIT_TOPIC, startNode, until } from "./nodes.ts";
import { controlRpc, type RawPeer, startRawPeer } from "./raw_peer.ts";

/** Of rust-libp2p: gossipsub's `max_control_message_size`, and Lighthouse's most messages an RPC. */
const RUST_CONTROL_BYTES = 16_384;
const LIGHTHOUSE_MESSAGES = 500;
/** Gossipsub's most at a heartbeat; js, rust and go look at ten RPCs of such. */
const IDS = 5000;
const MAX_IHAVES = 10;
/** 4.5 MiB of exits: the library's frames end at 4 MiB. */
const MESSAGES = 4000;

const { bytes } = seededRandom(1);
const ids = Array.from({ length: IDS }, () => bytes(20));
const messages = Array.from({ length: MESSAGES }, () => ({ topic: EXIT_TOPIC, data: bytes(1132) }));
const fullRpc = (control: Partial<RPC.ControlMessage>): RPC => ({
  subscriptions: [],
  messages: [],
  ...controlRpc(control),
});
const isSame = (some: Uint8Array[], others: Uint8Array[]) => Buffer.concat(some).equals(Buffer.concat(others));

async function connect(cures = ALL_CURES): Promise<[GossipsubInternals, RawPeer]> {
  const inside: GossipsubInternals[] = [];
  const spy: Cure = { name: "spy", install: ({ pubsub }) => void inside.push(pubsub) };
  const node = await startNode({ handler: ACCEPT, cures: [...cures, spy] });
  const peer = await startRawPeer();
  await peer.connect(node);
  return [inside[0] as GossipsubInternals, peer];
}

function controlBytes(rpc: RPC): number {
  return RPC.encode({ ...rpc, messages: [] }).length;
}

describe("rpc_sizes", () => {
  it("tells of 5000 messages, and asks for them, in RPCs that rust-libp2p takes", async () => {
    const [pubsub, peer] = await connect();
    const told = () => peer.rpcs.flatMap(({ rpc }) => rpc.control?.ihave ?? []);
    const asked = () => peer.rpcs.flatMap(({ rpc }) => rpc.control?.iwant ?? []);
    const count = (items: readonly RPC.ControlIWant[]) => items.flatMap(({ messageIDs }) => messageIDs).length;

    // What waits goes out with what comes next, each small enough but not both.
    pubsub.gossip.set(peer.peerId, [{ topicID: EXIT_TOPIC, messageIDs: ids.slice(0, 500) }]);
    expect(pubsub.sendRpc(peer.peerId, fullRpc({ iwant: [{ messageIDs: ids.slice(0, 500) }] }))).toBe(true);
    await until("both come", () => count(told()) === 500 && count(asked()) === 500);

    peer.rpcs.length = 0;
    const ihave = [
      { topicID: "/a", messageIDs: ids.slice(0, 10) },
      { topicID: EXIT_TOPIC, messageIDs: ids.slice(10) },
    ];
    const prune = [{ topicID: "/b", peers: [], backoff: 60 }];
    expect(pubsub.sendRpc(peer.peerId, fullRpc({ ihave, iwant: [{ messageIDs: ids }], prune }))).toBe(true);
    await until("all come", () => count(told()) === IDS && count(asked()) === IDS);
    const ofTopic = (topic: string) =>
      told().flatMap(({ topicID, messageIDs }) => (topicID === topic ? messageIDs : []));
    expect(isSame(ofTopic("/a"), ids.slice(0, 10))).toBe(true);
    expect(isSame(ofTopic(EXIT_TOPIC), ids.slice(10))).toBe(true);
    expect(
      isSame(
        asked().flatMap(({ messageIDs }) => messageIDs),
        ids,
      ),
    ).toBe(true);
    expect(peer.rpcs.flatMap(({ rpc }) => rpc.control?.prune ?? [])).toHaveLength(1);
    expect(peer.rpcs.filter(({ rpc }) => (rpc.control?.ihave.length ?? 0) > 0).length).toBeLessThanOrEqual(MAX_IHAVES);
    expect(Math.max(...peer.rpcs.map(({ rpc }) => controlBytes(rpc)))).toBeLessThanOrEqual(RUST_CONTROL_BYTES);
  });

  it("answers for 4000 messages in RPCs that Lighthouse takes, where the library sends none", async () => {
    const answer = (): RPC => ({ subscriptions: [], messages: [...messages] });
    const [pubsub, peer] = await connect();
    expect(pubsub.sendRpc(peer.peerId, answer())).toBe(true);
    await until("all come", () => peer.messages.length === MESSAGES);
    const dataOf = (of: readonly RPC.Message[]) => of.map(({ data }) => data ?? new Uint8Array());
    expect(isSame(dataOf(peer.messages), dataOf(messages))).toBe(true);
    expect(Math.max(...peer.rpcs.map(({ rpc }) => rpc.messages.length))).toBeLessThanOrEqual(LIGHTHOUSE_MESSAGES);

    const [uncured, silent] = await connect(ALL_CURES.filter(({ name }) => name !== "rpc_sizes"));
    expect(uncured.sendRpc(silent.peerId, answer())).toBe(false);
  });
});
