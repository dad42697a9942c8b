/** Every gossip vector over real TCP: what a node on the vector's states says of it, and what a second peer gets. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { NodeEvent } from "../../src/node_events.ts";
import { type FixedNodeOptions, startFixedNode } from "../../src/node_fixed.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";
import { decompressSnappyBlock, readDeclaredSize } from "../../src/validation/snappy_block.ts";
import { stopAfterTest, until } from "../network/nodes.ts";
import { type RawPeer, startRawPeer } from "../network/raw_peer.ts";

const VECTORS = new URL(
  "../vectors/minimal/message_bus/networking/gossip_triggered_exit/pyspec_tests/",
  import.meta.url,
).pathname;

/** Cases at once: each has three libp2p nodes. */
const CONCURRENCY = 6;

const WORDS = { valid: "accept", ignore: "ignore", reject: "reject" } as const;

interface Meta {
  readonly current_time_ms: number;
  readonly synced?: boolean;
  readonly seen_triggered_exits?: unknown;
  readonly messages: readonly { offset_ms: number; message: string; expected: keyof typeof WORDS; code: string }[];
}

type VerdictEvent = Extract<NodeEvent, { event: "verdict" }>;

function options(dir: string, timeMs: number | null): FixedNodeOptions {
  return {
    networkDir: null,
    stateFile: join(dir, "state.ssz_snappy"),
    finalizedStateFile: join(dir, "finalized_state.ssz_snappy"),
    timeMs,
    dataDir: null,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootnodes: [],
    apiPort: 0,
    apiHost: "127.0.0.1",
    version: "0.0.0",
  };
}

async function startNode(dir: string, timeMs: number | null) {
  const verdicts: VerdictEvent[] = [];
  const ready = Promise.withResolvers<Extract<NodeEvent, { event: "ready" }>>();
  const onEvent = (event: NodeEvent) => {
    if (event.event === "verdict") verdicts.push(event);
    if (event.event === "ready") ready.resolve(event);
  };
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger, onEvent };
  const node = stopAfterTest(await startFixedNode(options(dir, timeMs), deps));
  const { multiaddrs, topics } = await ready.promise;
  return { node, verdicts, topic: topics[0] ?? "", dialable: { network: { multiaddrs: () => multiaddrs } } };
}

/** A peer in the node's mesh: what the node forwards reaches it. */
async function startReceiver({ node, topic, dialable }: Awaited<ReturnType<typeof startNode>>): Promise<RawPeer> {
  const receiver = await startRawPeer([topic]);
  await receiver.connect(dialable);
  receiver.send({ control: { ihave: [], iwant: [], prune: [], idontwant: [], graft: [{ topicID: topic }] } });
  const endMs = systemClock.monotonicMs() + 10_000;
  for (;;) {
    const metrics = await (await fetch(`${node.apiUrl}/metrics`)).text();
    if (metrics.includes('msgbus_mesh_peers{topic="triggered_exit"} 1')) return receiver;
    if (systemClock.monotonicMs() > endMs) throw new Error("the receiver was not grafted");
  }
}

/** A question that the node answers behind whatever it has sent before. */
async function roundTrip(receiver: RawPeer): Promise<void> {
  const [connection] = receiver.libp2p.getConnections();
  await connection?.newStream("/none/1").catch(() => {});
}

async function runCase(
  dir: string,
  { current_time_ms, messages }: Meta,
): Promise<{ actual: string[]; expected: string[] }> {
  const running = await startNode(dir, current_time_ms);
  const { node, verdicts, topic, dialable } = running;
  const receiver = await startReceiver(running);
  const actual: string[] = [];
  const expected: string[] = [];
  const sent = new Set<string>();
  for (const { offset_ms, message, expected: word, code } of messages) {
    const data = new Uint8Array(readFileSync(join(dir, `${message}.ssz_snappy`)));
    const [declared, payload] = [readDeclaredSize(data), decompressSnappyBlock(data)];
    // Gossip brings an operation once, however it was compressed.
    const key = Buffer.from(declared === TRIGGERED_EXIT_SIZE_BYTES && payload !== null ? payload : data).toString(
      "hex",
    );
    if (sent.has(key)) continue;
    sent.add(key);
    expected.push(`${WORDS[word]} ${code}${word === "valid" ? " forwarded" : ""}`);
    node.holdTimeAt(current_time_ms + offset_ms);
    const [judged, received] = [verdicts.length, receiver.messages.length];
    // A rejected message costs its bringer the right to bring another.
    const sender = await startRawPeer([]);
    await sender.connect(dialable);
    sender.send({ messages: [{ topic, data }] });
    await until(`a verdict on ${message}`, () => verdicts.length > judged);
    await roundTrip(receiver);
    const verdict = verdicts.at(-1);
    const isForwarded = receiver.messages.slice(received).some((got) => Buffer.compare(got.data ?? data, data) === 0);
    actual.push(`${verdict?.result} ${verdict?.code}${isForwarded ? " forwarded" : ""}`);
    await sender.libp2p.stop();
  }
  await Promise.all([receiver.libp2p.stop(), node.stop()]);
  return { actual, expected };
}

test("fixed node: judges each gossip vector as it says, and forwards the valid ones and nothing else", async () => {
  const cases = readdirSync(VECTORS).map((name) => {
    const dir = join(VECTORS, name);
    return { name, dir, meta: parse(readFileSync(join(dir, "meta.yaml"), "utf8")) as Meta };
  });
  // A node on fixed views has seen nothing before, and always counts as synced.
  const runnable = cases.filter(({ meta }) => meta.seen_triggered_exits === undefined && meta.synced !== false);
  expect(runnable.length).toBeGreaterThan(90);
  const actual: Record<string, string[]> = {};
  const expected: Record<string, string[]> = {};
  const queue = [...runnable];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const result = await runCase(next.dir, next.meta);
        actual[next.name] = result.actual;
        expected[next.name] = result.expected;
      }
    }),
  );
  expect(actual).toEqual(expected);
}, 60_000);

const TREE = join(VECTORS, "../../..");
/** A message that was made to be no snappy block. */
const NO_SNAPPY = join(VECTORS, "gossip_triggered_exit__reject_garbage", garbageFile());
const CASE = join(VECTORS, "gossip_triggered_exit__valid_older_root");

test.each<[string, string, Partial<FixedNodeOptions>]>([
  ["STATE_UNREADABLE", "a file that is not there", { stateFile: join(CASE, "nothing.ssz") }],
  ["STATE_INVALID", "a file that is no snappy block", { stateFile: NO_SNAPPY }],
  ["BAD_SSZ", "a file that is no state", { stateFile: join(CASE, "meta.yaml") }],
  ["WRONG_FORK", "a finalized state that is none", { finalizedStateFile: join(CASE, "meta.yaml") }],
  [
    "WRONG_FORK",
    "a state from before the fork",
    { stateFile: join(TREE, "fork/fork/pyspec_tests/fork_plain/pre.ssz_snappy") },
  ],
  [
    "WRONG_PRESET",
    "a state of another preset",
    {
      stateFile: join(
        TREE,
        "../../mainnet/message_bus/networking/gossip_triggered_exit/pyspec_tests/gossip_triggered_exit__ignore_root_evicted/state.ssz_snappy",
      ),
    },
  ],
  ["BAD_TIME", "a time before the fork", { timeMs: 0 }],
])("fixed node: %s for %s", async (code, _, changed) => {
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger, onEvent: () => {} };
  await expect(startFixedNode({ ...options(CASE, null), ...changed }, deps)).rejects.toMatchObject({ code });
});

function garbageFile(): string {
  const files = readdirSync(join(VECTORS, "gossip_triggered_exit__reject_garbage"));
  return files.find((name) => name.startsWith("triggered_exit_data_")) ?? "";
}
