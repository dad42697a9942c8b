import { EventEmitter, on } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { makeOwnNetwork } from "../../../src/lab/fuzz/fixture.ts";
import { createFixedViews, MeasuredNode } from "../../../src/lab/measure/measured_node.ts";
import { Names } from "../../../src/lab/measure/names.ts";
import { type ObserveProgress, observe } from "../../../src/lab/measure/observe.ts";
import type { TraceEvent } from "../../../src/lab/measure/trace.ts";
import { recordLines } from "../../../src/lab/measure/trace_records.ts";
import { createTracer } from "../../../src/lab/measure/tracer.ts";
import { createIdentity } from "../../../src/network/identity.ts";
import { formatTopic } from "../../../src/network/topics.ts";
import { TriggeredExit } from "../../../src/spec/types.ts";
import { readNetworkDir, writeNetworkDir } from "../../../src/state/network_dir.ts";

const EXITS = 8;
const NODES = 3;
const OBSERVERS = 2;
const DEADLINE_MS = 30_000;

let dir: string;
let exits: TriggeredExit[];
const nodes: MeasuredNode[] = [];
/** What the nodes trace, as it happens. */
const traced = new EventEmitter<{ line: [TraceEvent] }>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  const own = makeOwnNetwork(EXITS, Math.floor(systemClock.nowMs() / 1000));
  exits = own.fixture.valid.map((ssz) => TriggeredExit.deserialize(ssz));
  await writeNetworkDir(dir, { network: own.network, genesisState: own.finalized, bootnodes: [], deployBlock: 0 });
  const views = createFixedViews((await readNetworkDir(dir)).genesisState);
  const topics = [formatTopic("triggered_exit", views.forkDigest)];
  const names = new Names({ topics, peers: [], messages: [] }, () => {});
  for (let k = 0; k < NODES; k++) {
    const { privateKey } = await createIdentity();
    const tracer = createTracer({
      node: k,
      names,
      topics,
      sink: {
        take({ words }) {
          for (const line of recordLines(words, 0)) traced.emit("line", JSON.parse(line));
        },
      },
      now: () => 0,
    });
    const deps = { views, tracer, clock: systemClock, random: systemRandom };
    const node = new MeasuredNode({ stack: "msgbus", privateKey, maxPeers: 8, version: "0.0.0" }, deps);
    await node.start();
    for (const other of nodes) await node.dial(other.address);
    nodes.push(node);
  }
}, 2 * DEADLINE_MS);
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await rm(dir, { recursive: true, force: true });
});

/** Resolves at the first line after which `isSo`, at once where it is. Rejects after the deadline. */
async function untilTraced(isSo: () => boolean): Promise<void> {
  if (isSo()) return;
  for await (const _ of on(traced, "line", { signal: AbortSignal.timeout(DEADLINE_MS) })) if (isSo()) return;
}

function observeWith(
  peers: string[],
  durationMs: number,
  { signal = new AbortController().signal, onProgress = (_: ObserveProgress) => {} } = {},
) {
  const options = { networkDir: dir, observers: OBSERVERS, tracePath: join(dir, "trace.ndjson"), version: "0.0.0" };
  return observe({ ...options, peers, durationMs }, { clock: systemClock, random: systemRandom, signal, onProgress });
}

it(
  "observe: sees each message of a network at every observer, who brought it first, and how often",
  async () => {
    let delivered = 0;
    traced.on("line", ({ e }) => {
      if (e === "deliver") delivered++;
    });
    // Ends when all have come: it is cut off, and says so.
    const stopping = new AbortController();
    const observing = observeWith(
      nodes.map(({ address }) => address),
      2 * DEADLINE_MS,
      {
        signal: stopping.signal,
        onProgress({ received }) {
          if (received === OBSERVERS * EXITS) stopping.abort();
        },
      },
    );
    // Subscribed and in the mesh.
    await untilTraced(() => nodes.every(({ meshSize }) => meshSize === NODES - 1 + OBSERVERS));
    for (const [k, exit] of exits.entries()) {
      await nodes[k % NODES]?.publish(exit, k, 0);
      await untilTraced(() => delivered === (k + 1) * (NODES - 1));
    }
    const report = await observing;
    expect(report).toMatchObject({ partial: true, observers: OBSERVERS });
    const topic = report.topics.find((one) => one.topic.includes("/triggered_exit/"));
    expect(topic).toMatchObject({
      messages: EXITS,
      complete: EXITS,
      coverage: { min: 2, max: 2 },
      mesh: { max: NODES },
    });
    // Three nodes bring each message: one copy is the first.
    expect(topic?.duplicates).toBeGreaterThan(1);
    expect(report.peers.map(({ agent }) => agent)).toEqual(["msgbus/0.0.0", "msgbus/0.0.0", "msgbus/0.0.0"]);
    expect(report.peers.reduce((sum, { firsts }) => sum + firsts, 0)).toBe(OBSERVERS * EXITS);
    expect(report.peers.reduce((sum, { firstOfAll }) => sum + firstOfAll, 0)).toBe(EXITS);
  },
  4 * DEADLINE_MS,
);

it(
  "observe: is whole where it ran its time",
  async () => {
    const report = await observeWith(
      nodes.map(({ address }) => address),
      100,
    );
    expect(report.partial).toBe(false);
  },
  DEADLINE_MS,
);

it(
  "observe: says where none of the peers can be reached",
  async () => {
    const { peerId } = await createIdentity();
    await expect(observeWith([`/ip4/127.0.0.1/tcp/1/p2p/${peerId}`], 1_000)).rejects.toMatchObject({
      code: "NO_PEERS",
    });
    expect(await readdir(dir)).not.toContain("trace.ndjson");
  },
  2 * DEADLINE_MS,
);
