import { describe, expect, it } from "vitest";
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
