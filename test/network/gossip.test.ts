import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { compressBlock } from "../../src/network/encoding.ts";
import type { GossipHandler } from "../../src/network/network.ts";
import {
  ACCEPT,
  DIGEST,
  EXIT,
  EXIT_TOPIC,
  exitBytes,
  IGNORE,
  REJECT,
  startLine,
  startNode,
  type TestNode,
  until,
  untilHeartbeats,
  untilMeshed,
} from "./nodes.ts";
import { startRawPeer } from "./raw_peer.ts";

describe("gossip", () => {
  it("reaches all of four nodes that list each other, once each", async () => {
    const publisher = await startNode({ handler: ACCEPT });
    const others: TestNode[] = [];
    for (let i = 1; i < 4; i++) {
      others.push(await startNode({ handler: ACCEPT, bootnodes: [publisher, ...others] }));
    }
    await untilMeshed([publisher, ...others]);
    const outcome = await publisher.network.publish(EXIT, DIGEST, exitBytes(1));
    expect(outcome).toEqual({ topic: EXIT_TOPIC, recipients: 3, duplicate: false });
    await until("all have judged it", () => others.every(({ verdicts }) => verdicts.length === 1));
    expect(others.map(({ verdicts }) => verdicts[0]?.verdict.code)).toEqual(["VALID", "VALID", "VALID"]);
    expect(publisher.verdicts).toEqual([]);
  });

  it("forwards a message only after its verdict, and then once", async () => {
    let release: (() => void) | null = null;
    const held: GossipHandler = () =>
      new Promise((resolve) => {
        release = () => resolve({ result: "accept", code: "VALID" });
      });
    const [first, middle, last] = await startLine([ACCEPT, held, ACCEPT]);
    await first.network.publish(EXIT, DIGEST, exitBytes(2));
    await until("the middle holds it", () => release !== null);
    // Neither forwarded nor announced by IHAVE, which goes out at heartbeats.
    await untilHeartbeats(middle, 2);
    expect(last.verdicts).toEqual([]);
    (release as unknown as () => void)();
    await until("the last has it", () => last.verdicts.length === 1);
  });

  it.each([
    ["ignored", IGNORE],
    ["rejected", REJECT],
    [
      "that makes the handler throw",
      () => {
        throw new Error("a bug");
      },
    ],
  ] as [string, GossipHandler][])("never forwards a message %s", async (_, verdict) => {
    const badOnTheWire = Buffer.from(compressBlock(exitBytes(3)));
    const judge: GossipHandler = (data, context) => (badOnTheWire.equals(data) ? verdict : ACCEPT)(data, context);
    const [first, middle, last] = await startLine([ACCEPT, judge, ACCEPT]);
    await first.network.publish(EXIT, DIGEST, exitBytes(3));
    await until("the middle has judged it", () => middle.verdicts.length === 1);
    await first.network.publish(EXIT, DIGEST, exitBytes(4));
    await until("a good one follows", () => last.verdicts.length > 0);
    await untilHeartbeats(middle, 2);
    expect(middle.verdicts.map(({ verdict }) => verdict.result)).toEqual([
      verdict === REJECT ? "reject" : "ignore",
      "accept",
    ]);
    expect(last.verdicts.length).toBe(1);
  });

  it("leaves what is no exit to the handler: a bomb, no snappy, nothing", async () => {
    const seen: number[] = [];
    const judge: GossipHandler = (data) => {
      seen.push(data.length);
      return { result: "reject", code: "BAD_SNAPPY" };
    };
    const node = await startNode({ handler: judge });
    const peer = await startRawPeer([]);
    await peer.connect(node);
    const messages = [compressBlock(new Uint8Array(32 * 1024 * 1024)), Buffer.from("ec08fcfaffffff", "hex")];
    peer.send({ messages: messages.map((data) => ({ topic: EXIT_TOPIC, data })) });
    peer.send({ messages: [{ topic: EXIT_TOPIC, data: new Uint8Array() }, { topic: EXIT_TOPIC }] });
    await until("all are judged", () => node.verdicts.length === 3);
    // The long one goes the library's way, which is longer.
    expect(seen.toSorted()).toEqual([...messages.map(({ length }) => length), 0].toSorted());
  });

  it("takes no message on a topic that is not its own, or not of the network", async () => {
    const node = await startNode({ handler: ACCEPT });
    const peer = await startRawPeer([]);
    await peer.connect(node);
    const data = compressBlock(exitBytes(7));
    const topics = [`/eth2/${DIGEST}/beacon_block/ssz_snappy`, EXIT_TOPIC.replace("0a", "0b"), "", "x".repeat(1_000)];
    peer.send({ messages: topics.map((topic) => ({ topic, data })) });
    peer.send({ messages: [{ topic: EXIT_TOPIC, data }] });
    await until("its own is judged", () => node.verdicts.length === 1);
    expect(node.verdicts[0]?.topic).toBe(EXIT);
    expect(node.network.counters().handlerErrors).toBe(0);
  });

  it("tells a publisher whether anyone heard, and lets it try again", async () => {
    const alone = await startNode({ handler: ACCEPT });
    const exit = exitBytes(5);
    expect(await alone.network.publish(EXIT, DIGEST, exit)).toMatchObject({ recipients: 0, duplicate: false });
    const late = await startNode({ handler: ACCEPT, bootnodes: [alone] });
    await untilMeshed([alone, late]);
    expect(await alone.network.publish(EXIT, DIGEST, exit)).toMatchObject({ recipients: 1, duplicate: false });
    expect(await alone.network.publish(EXIT, DIGEST, exit)).toMatchObject({ recipients: 0, duplicate: true });
    await until("the late one has it", () => late.verdicts.length === 1);
  });

  it("refuses to publish what the library cannot send", async () => {
    const node = await startNode();
    const block = seededRandom(6).bytes(4 * 1024 * 1024);
    await expect(node.network.publish("beacon_block", DIGEST, block)).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
    });
  });

  it("hears of a peer's topic although it subscribes later than the peer", async () => {
    const early = await startNode({ handler: ACCEPT });
    const late = await startNode({ bootnodes: [early] });
    await until("they are connected", () => late.network.peers().length === 1);
    await until("they know each other", () => late.backend.statuses.size === 1);
    late.network.subscribe({ name: EXIT, forkDigest: DIGEST, handler: ACCEPT });
    await untilMeshed([early, late]);
    expect(late.network.topics()).toEqual([EXIT_TOPIC]);
    await late.network.publish(EXIT, DIGEST, exitBytes(6));
    await until("it arrives", () => early.verdicts.length === 1);
    late.network.unsubscribe(EXIT, DIGEST);
    expect(late.network.topics()).toEqual([]);
    await until("the mesh is left", () => early.network.meshPeerCount(EXIT, DIGEST) === 0);
  });
});
