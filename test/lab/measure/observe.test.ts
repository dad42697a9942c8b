import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sleep, systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { makeOwnNetwork } from "../../../src/lab/fuzz/fixture.ts";
import { createFixedViews, MeasuredNode } from "../../../src/lab/measure/measured_node.ts";
import { observe } from "../../../src/lab/measure/observe.ts";
import { createIdentity } from "../../../src/network/identity.ts";
import { TriggeredExit } from "../../../src/spec/types.ts";
import { readNetworkDir, writeNetworkDir } from "../../../src/state/network_dir.ts";

const EXITS = 8;
const PUBLISH_INTERVAL_MS = 200;

let dir: string;
let exits: TriggeredExit[];
const nodes: MeasuredNode[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  const own = makeOwnNetwork(EXITS, Math.floor(systemClock.nowMs() / 1000));
  exits = own.fixture.valid.map((ssz) => TriggeredExit.deserialize(ssz));
  await writeNetworkDir(dir, { network: own.network, genesisState: own.finalized, bootnodes: [], deployBlock: 0 });
  const views = createFixedViews((await readNetworkDir(dir)).genesisState);
  for (let k = 0; k < 3; k++) {
    const { privateKey } = await createIdentity();
    const deps = { views, tracer: null, clock: systemClock, random: systemRandom };
    const node = new MeasuredNode({ stack: "msgbus", privateKey, maxPeers: 8, version: "0.0.0" }, deps);
    await node.start();
    for (const other of nodes) await node.dial(other.address);
    nodes.push(node);
  }
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await rm(dir, { recursive: true, force: true });
});

const observeWith = (peers: string[], durationMs: number, onProgress = (_elapsedMs: number, _peers: number) => {}) =>
  observe(
    {
      peers,
      networkDir: dir,
      durationMs,
      observers: 2,
      tracePath: join(dir, "trace.ndjson"),
      version: "0.0.0",
    },
    { clock: systemClock, random: systemRandom, signal: new AbortController().signal, onProgress },
  );

it("observe: sees each message of a network at every observer, who brought it first, and how often", async () => {
  const observing = observeWith(
    nodes.map(({ address }) => address),
    8_000,
  );
  // Subscribed and in the mesh.
  await Promise.all(
    nodes.map(async (node) => {
      while (node.meshSize < 4) await sleep(systemClock, 50);
    }),
  );
  for (const [k, exit] of exits.entries()) {
    await nodes[k % nodes.length]?.publish(exit, k, 0);
    await sleep(systemClock, PUBLISH_INTERVAL_MS);
  }
  const report = await observing;
  expect(report).toMatchObject({ partial: false, observers: 2 });
  const topic = report.topics.find((one) => one.topic.includes("/triggered_exit/"));
  expect(topic).toMatchObject({ messages: EXITS, complete: EXITS, coverage: { min: 2, max: 2 }, mesh: { max: 3 } });
  // Three nodes bring each message: one copy is the first.
  expect(topic?.duplicates).toBeGreaterThan(1);
  expect(report.peers.map(({ agent }) => agent)).toEqual(["msgbus/0.0.0", "msgbus/0.0.0", "msgbus/0.0.0"]);
  expect(report.peers.reduce((sum, { firsts }) => sum + firsts, 0)).toBe(2 * EXITS);
  expect(report.peers.reduce((sum, { firstOfAll }) => sum + firstOfAll, 0)).toBe(EXITS);
}, 60_000);

it("observe: says where none of the peers can be reached", async () => {
  const { peerId } = await createIdentity();
  await expect(observeWith([`/ip4/127.0.0.1/tcp/1/p2p/${peerId}`], 1_000)).rejects.toMatchObject({ code: "NO_PEERS" });
}, 60_000);
