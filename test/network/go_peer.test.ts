import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { compressBlock } from "../../src/network/encoding.ts";
import type { GossipHandler } from "../../src/network/network.ts";
import { BUILD_TIMEOUT_MS, buildGoPeer, GO_MINOR_VERSION, hasGo, startGoPeer } from "./go_peer/go_peer.ts";
import { type FloodName, flood, prepareFlood } from "./guard/floods.ts";
import {
  ACCEPT,
  DIGEST,
  EXIT,
  EXIT_TOPIC,
  exitBytes,
  IGNORE,
  startNode,
  stopAfterTest,
  type TestNode,
  until,
} from "./nodes.ts";
import { startRawPeer } from "./raw_peer.ts";

/** The machine may be busy with other tests. */
const BRISK_DEADLINE_MS = 30_000;

/** An exit's size of bytes, no two alike, that snappy leaves as large: above 1 KiB Go sends IDONTWANT. */
function numbered(i: number): Uint8Array {
  return seededRandom(i).bytes(1132);
}

const wireOf = (i: number) => compressBlock(numbered(i));
const hexOf = (data: Uint8Array) => Buffer.from(data).toString("hex");

const spentOf = (node: TestNode, kind: string) => node.network.peers()[0]?.guard[kind] ?? 0;

/** go-libp2p-pubsub drops by default what comes on top of 32 RPCs that wait for a peer: two batches of these, and IDONTWANTs. */
const GO_BATCH = 8;

let dir: string;
let program: string;

const startGo = (node: TestNode) => stopAfterTest(startGoPeer(program, node.network.multiaddrs()[0] ?? "", EXIT_TOPIC));

const isThere = hasGo();
const title = isThere
  ? "go-libp2p-pubsub peer"
  : `go-libp2p-pubsub peer (skipped: Go 1.${GO_MINOR_VERSION} is not installed)`;
describe.skipIf(!isThere)(title, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "msgbus-go-peer-"));
    program = await buildGoPeer(dir);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it("is grafted, hears and is heard, and neither side scores the other down", async () => {
    const node = await startNode({ handler: ACCEPT });
    const behind = await startNode({ handler: ACCEPT, bootnodes: [node] });
    const go = startGo(node);
    await until("it is in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 2);
    await until("we are in its mesh", () => go.has("graft", { peer: node.network.peerId }));

    await behind.network.publish(EXIT, DIGEST, exitBytes(1));
    const first = Buffer.from(compressBlock(exitBytes(1))).toString("hex");
    await until("it hears what we forward", () => go.has("message", { data: first }));

    go.publish(compressBlock(exitBytes(2)));
    await until("its message goes through us", () => behind.verdicts.length === 1);

    await until("it has scored us after both", () => go.events.filter(({ event }) => event === "score").length >= 3);
    const goPeerId = go.events.find(({ event }) => event === "ready")?.peer;
    const goPeer = node.network.peers().find(({ peerId }) => peerId === goPeerId);
    expect(goPeer?.score).toBeGreaterThanOrEqual(0);
    expect(goPeer?.meshTopics).toEqual([EXIT_TOPIC]);
    expect(go.events.filter(({ event }) => ["disconnected", "prune", "reject", "error"].includes(event))).toEqual([]);
    expect(go.events.every(({ score }) => score === undefined || score >= 0)).toBe(true);
  });

  it("pays for a message that is rejected, and nobody behind us hears of it", async () => {
    const bad = Buffer.from(compressBlock(exitBytes(3)));
    const judge: GossipHandler = (data, context) =>
      bad.equals(data) ? { result: "reject", code: "BAD_COUNT" } : ACCEPT(data, context);
    const node = await startNode({ handler: judge });
    const behind = await startNode({ handler: ACCEPT, bootnodes: [node] });
    const go = startGo(node);
    await until("all are meshed", () => node.network.meshPeerCount(EXIT, DIGEST) === 2);
    await until("we are in its mesh", () => go.has("graft", { peer: node.network.peerId }));
    go.publish(bad);
    await until("it is judged", () => node.verdicts.length === 1);
    await until("its score falls", () => node.network.peers().some(({ score }) => score < 0));
    await node.network.publish(EXIT, DIGEST, exitBytes(4));
    await until("a good one follows", () => behind.verdicts.length > 0);
    expect(behind.verdicts.length).toBe(1);
  });

  it(
    "stays, and is served, while it publishes and hears 2,000 messages as fast as its queues allow",
    async () => {
      const COUNT = 2000;
      const node = await startNode({ handler: ACCEPT });
      const behind = await startNode({ handler: ACCEPT, bootnodes: [node] });
      const go = startGo(node);
      await until("all are meshed", () => node.network.meshPeerCount(EXIT, DIGEST) === 2);
      await until("we are in its mesh", () => go.has("graft", { peer: node.network.peerId }));
      const heard = () => go.events.filter(({ event }) => event === "message").length;
      for (let sent = 0; sent < COUNT; sent += GO_BATCH) {
        for (let i = sent; i < sent + GO_BATCH; i++) {
          go.publish(compressBlock(numbered(i)));
          await behind.network.publish(EXIT, DIGEST, numbered(COUNT + i));
        }
        await until("both have what was sent before", () => Math.min(behind.verdicts.length, heard()) >= sent);
      }
      await until("all have come", () => Math.min(behind.verdicts.length, heard()) === COUNT);
      expect(node.network.disconnects()).toEqual({});
      const goPeerId = go.events.find(({ event }) => event === "ready")?.peer;
      const peer = node.network.peers().find(({ peerId }) => peerId === goPeerId);
      expect(peer?.guard.idontwant).toBeGreaterThan(COUNT / 2);
      expect(peer?.score).toBeGreaterThanOrEqual(0);
      expect(go.events.filter(({ event }) => ["disconnected", "prune", "reject", "error"].includes(event))).toEqual([]);
    },
    2 * BRISK_DEADLINE_MS,
  );

  it("stays, and is served, while others flood the same node", async () => {
    const KINDS: readonly FloodName[] = [
      "messages",
      "IHAVE",
      "GRAFT in backoff",
      "IDONTWANT",
      "frames that do not decode",
    ];
    const honest = new Set(KINDS.flatMap((_, i) => [wireOf(i), wireOf(KINDS.length + i)].map(hexOf)));
    const judge: GossipHandler = (data, context) => (honest.has(hexOf(data)) ? ACCEPT : IGNORE)(data, context);
    const node = await startNode({ handler: judge });
    const behind = await startNode({ handler: ACCEPT, bootnodes: [node] });
    const go = startGo(node);
    await until("all are meshed", () => node.network.meshPeerCount(EXIT, DIGEST) === 2);
    await until("we are in its mesh", () => go.has("graft", { peer: node.network.peerId }));
    for (const [i, kind] of KINDS.entries()) {
      const attacker = await startRawPeer();
      const connection = await attacker.connect(node);
      const flooded = flood(prepareFlood(kind), attacker.sendBytes, () => connection.status !== "open");
      go.publish(wireOf(i));
      await behind.network.publish(EXIT, DIGEST, numbered(KINDS.length + i));
      await until("each hears the other", () => {
        const heard = go.events.filter(({ event }) => event === "message").length;
        return heard === i + 1 && behind.verdicts.length === i + 1;
      });
      await flooded;
      await until("the attacker is gone", () => node.network.peers().length === 2);
    }
    const hungUp = Object.values(node.network.disconnects()).reduce((sum, count) => sum + count, 0);
    expect(hungUp).toBe(KINDS.length);
    expect(go.events.filter(({ event }) => ["disconnected", "prune", "reject", "error"].includes(event))).toEqual([]);
    expect(node.network.peers().every(({ score }) => score >= 0)).toBe(true);
  });

  it("stays when it is a block ahead of us, and brings the 500 exits of that block", async () => {
    const node = await startNode({ handler: IGNORE });
    const go = startGo(node);
    await until("we are in its mesh", () => go.has("graft", { peer: node.network.peerId }));
    for (let i = 0; i < 500; i++) {
      go.publish(compressBlock(numbered(i)));
      if (i % GO_BATCH === 0) await until("it has sent those", () => spentOf(node, "messages") >= i);
    }
    await until("all are judged", () => node.verdicts.length === 500);
    expect(node.verdicts.every(({ verdict }) => verdict.code === "UNKNOWN_ROOT")).toBe(true);
    expect(node.network.disconnects()).toEqual({});
    expect(node.network.peers()[0]?.score).toBeGreaterThanOrEqual(0);
  });
});
