import { connect } from "node:net";
import { multiaddr } from "@multiformats/multiaddr";
import { expect, it } from "vitest";
import type { Cure, CureContext } from "../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../src/network/cures/index.ts";
import { ACCEPT, startNode, type TestNode, until, untilHeartbeats } from "./nodes.ts";
import { startRawPeer } from "./raw_peer.ts";

type Inside = Pick<CureContext, "libp2p" | "pubsub">;

/** Bounded in number by cures, each with a test of its own. The second is the third by another name. */
const KEPT = ["datastore.data", "gossipsub.score", "score.peerStats", "score.peerIPs", "score.scoreCache"];

/** How many entries each map and set has, of all that could keep something of a peer that left. */
function census({ libp2p, pubsub }: Inside): Record<string, number> {
  type Component = Record<string, unknown>;
  const { components } = libp2p as unknown as { components: Record<string, Component> };
  const { connectionManager = {}, datastore = {}, registrar = {}, transportManager = {}, peerStore = {} } = components;
  const listeners = [...(transportManager.listeners as Map<string, Component[]>).values()].flat();
  const owners: Record<string, object> = {
    gossipsub: pubsub,
    score: pubsub.score,
    tracer: (pubsub as unknown as { gossipTracer: object }).gossipTracer,
    connectionManager,
    datastore,
    registrar,
    peerStore: peerStore.store as object,
    ...Object.fromEntries(listeners.map((listener, i) => [`listener ${i}`, listener])),
  };
  const sizes: Record<string, number> = {};
  for (const [owner, object] of Object.entries(owners)) {
    for (const [name, value] of Object.entries(object)) {
      // libp2p's components throw for what they do not have.
      const size = name === "components" ? undefined : (value as { size?: unknown } | null | undefined)?.size;
      if (typeof size === "number") sizes[`${owner}.${name}`] = size;
    }
  }
  return sizes;
}

async function flooder(node: TestNode): Promise<void> {
  const peer = await startRawPeer();
  const connection = await peer.connect(node);
  peer.sendBytes(Buffer.concat(new Array(20).fill(Uint8Array.of(3, 0xff, 0xff, 0xff))));
  await until("it is hung up", () => connection.status !== "open");
}

async function passerBy(node: TestNode): Promise<void> {
  const peer = await startRawPeer();
  const connection = await peer.libp2p.dial(multiaddr(node.network.multiaddrs()[0] ?? ""));
  connection.abort(new Error("a peer that leaves at once"));
}

/** Its first noise message makes no sense, and it does not wait for the answer. */
async function stranger(node: TestNode): Promise<void> {
  const socket = connect(Number(node.network.multiaddrs()[0]?.split("/")[4]), "127.0.0.1");
  const closed = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
  const hello = "\x13/multistream/1.0.0\n\x07/noise\n";
  socket.write(Buffer.concat([Buffer.from(hello), Uint8Array.of(0, 32), new Uint8Array(32)]));
  socket.once("data", () => socket.resetAndDestroy());
  await closed;
}

it("a peer that floods, leaves at once or never says who it is leaves nothing behind, but for what is bounded", async () => {
  let inside: Inside | undefined;
  const spy: Cure = {
    name: "spy",
    install(context) {
      inside = context;
    },
  };
  const node = await startNode({ handler: ACCEPT, cures: [...ALL_CURES, spy] });
  async function churn(count: number): Promise<Record<string, number>> {
    for (let i = 0; i < count; i++) await Promise.all([flooder(node), passerBy(node), stranger(node)]);
    if (inside === undefined) throw new Error("not installed");
    const { libp2p } = inside;
    await until("all have left", () => libp2p.getConnections().length === 0);
    await untilHeartbeats(node, 2);
    return census(inside);
  }
  const few = await churn(2);
  const many = await churn(12);
  expect(Object.keys(many)).toEqual(expect.arrayContaining(KEPT));
  for (const sizes of [few, many]) for (const name of KEPT) delete sizes[name];
  expect(many).toEqual(few);
  expect(Object.keys(many).length).toBeGreaterThan(30);
  expect(many).toMatchObject({ "listener 0.sockets": 0, "connectionManager.connections": 0, "gossipsub.peers": 0 });
});
