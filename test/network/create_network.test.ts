import { createServer, type Server } from "node:net";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createNetwork, type NetworkDependencies, type NetworkOptions } from "../../src/network/create_network.ts";
import { createIdentity } from "../../src/network/identity.ts";
import {
  ACCEPT,
  DIGEST,
  EXIT,
  exitBytes,
  fixedBackend,
  startNode,
  stopAfterTest,
  type TestNode,
  until,
  untilMeshed,
} from "./nodes.ts";
import { startRawPeer } from "./raw_peer.ts";

const portOf = (address: string | undefined) => Number(address?.split("/")[4]);

const optionsOf = (privateKey: Uint8Array): NetworkOptions => ({
  privateKey,
  listen: ["/ip4/127.0.0.1/tcp/0"],
  bootnodes: [],
  version: "0.0.0",
  slotMs: 2000,
  slotsPerEpoch: 8,
  forkDigests: [DIGEST],
});
const dependencies = (): NetworkDependencies => ({
  backend: fixedBackend(DIGEST),
  onVerdict: () => {},
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
});

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  stopAfterTest({ stop: () => server.close() });
  return server;
}

describe("network", () => {
  it("knows its addresses, peers and their agents", async () => {
    const first = await startNode({ handler: ACCEPT });
    const second = await startNode({ handler: ACCEPT, bootnodes: [first] });
    await untilMeshed([first, second]);
    await until("identified", () => first.network.peers()[0]?.agent !== null);
    expect(first.network.multiaddrs()[0]).toMatch(/^\/ip4\/127.0.0.1\/tcp\/\d+\/p2p\//);
    expect(first.network.peers()).toMatchObject([
      { peerId: second.network.peerId, direction: "inbound", state: "connected", agent: "msgbus/0.0.0" },
    ]);
    const [peer] = second.network.peers();
    expect(peer).toMatchObject({ direction: "outbound", meshTopics: [`/eth2/${DIGEST}/${EXIT}/ssz_snappy`] });
    expect(first.network.counters().handlerErrors).toBe(0);
  });

  it("leaves within 5 s, tells its peers, and frees its port", async () => {
    const staying = await startNode({ handler: ACCEPT });
    const leaving = await startNode({ handler: ACCEPT, bootnodes: [staying] });
    await untilMeshed([staying, leaving]);
    const port = portOf(leaving.network.multiaddrs()[0]);
    const startedMs = systemClock.monotonicMs();
    await leaving.network.stop();
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(5_000);
    await until("the other has noticed", () => staying.backend.gone.includes(leaving.network.peerId));
    await listen(port);
    await expect(leaving.network.publish(EXIT, DIGEST, exitBytes(1))).rejects.toMatchObject({
      code: "NETWORK_NOT_RUNNING",
    });
  });

  it("leaves within 5 s although a peer neither answers nor hangs up", async () => {
    const node = await startNode({ handler: ACCEPT });
    const peer = await startRawPeer();
    await peer.libp2p.handle("/eth2/beacon_chain/req/goodbye/1/ssz_snappy", () => {});
    await peer.connect(node);
    const startedMs = systemClock.monotonicMs();
    await node.network.stop();
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(5_000);
  });

  it("finds a bootnode again that was away", async () => {
    const first = await startNode({ handler: ACCEPT });
    const second = await startNode({ handler: ACCEPT, bootnodes: [first] });
    await untilMeshed([first, second]);
    second.network.disconnect(first.network.peerId, "a test");
    await until("it is hung up", () => second.backend.gone.length === 1);
    await until("it is back", () => second.network.peers().length === 1);
  });

  it("pings its peers, counts their pings, and stays connected", async () => {
    const options = { pingIntervalMs: 200 };
    const first = await startNode({ handler: ACCEPT, options });
    const second = await startNode({ handler: ACCEPT, options, bootnodes: [first] });
    const nodes = [first, second];
    const pingsOf = ({ network }: TestNode) => network.peers()[0]?.guard.pings ?? 0;
    await until("each was pinged ten times", () => nodes.every((node) => pingsOf(node) >= 10));
    expect(nodes.map(({ backend }) => backend.gone)).toEqual([[], []]);
    expect(nodes.map(({ network }) => network.disconnects())).toEqual([{}, {}]);
  });

  it("says which address is busy", async () => {
    const busy = await startNode();
    const [address = ""] = busy.network.multiaddrs();
    const listenAddress = address.replace(/\/p2p\/.*/, "");
    await expect(startNode({ options: { listen: [listenAddress] } })).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: expect.stringContaining(listenAddress),
    });
  });

  it.each([
    ["BAD_MULTIADDR", { listen: ["localhost:9000"] }],
    ["BAD_MULTIADDR", { listen: ["/ip4/127.0.0.1/udp/9000"] }],
    ["ADDRESS_NOT_AVAILABLE", { listen: ["/ip4/203.0.113.1/tcp/0"] }],
    ["BAD_BOOTNODE", { bootnodes: ["enr:-abc"] }],
    ["BAD_BOOTNODE", { bootnodes: ["/ip4/127.0.0.1/tcp/9000"] }],
  ])("refuses with %s: %j", async (code, options) => {
    await expect(startNode({ options })).rejects.toMatchObject({ code });
  });

  it("closes what it opened when it is told to leave while it starts", async () => {
    const { privateKey } = await createIdentity();
    const network = createNetwork(optionsOf(privateKey), dependencies());
    const starting = network.start();
    await network.stop();
    await starting;
    expect(network.multiaddrs()).toEqual([]);
    await expect(network.publish(EXIT, DIGEST, exitBytes(2))).rejects.toMatchObject({ code: "NETWORK_NOT_RUNNING" });
  });

  it("passes over itself in the list of bootnodes", async () => {
    const { privateKey, peerId } = await createIdentity();
    const bootnodes = [`/ip4/127.0.0.1/tcp/1/p2p/${peerId}`];
    const network = createNetwork({ ...optionsOf(privateKey), bootnodes }, dependencies());
    await network.start();
    stopAfterTest(network);
    expect(network.peerId).toBe(peerId);
    expect(network.peers()).toEqual([]);
  });
});
