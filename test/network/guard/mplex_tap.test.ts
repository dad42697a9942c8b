import type { Connection } from "@libp2p/interface";
import { mplex } from "@libp2p/mplex";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import type { Meter } from "../../../src/network/guard/guard.ts";
import { LIMITS } from "../../../src/network/guard/limits.ts";
import { MplexTap } from "../../../src/network/guard/mplex_tap.ts";
import { ACCEPT, DIGEST, EXIT, exitBytes, startNode, until } from "../nodes.ts";
import { startRawPeer } from "../raw_peer.ts";

const NEW_STREAM = 0;
const MESSAGE = 2;
const CLOSE = 4;
const RESET = 6;

/** Streams of numbers below 16, so that a header is one byte. */
function frame(type: number, length: number, stream = 9): Uint8Array {
  const head = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Uint8Array.from([stream * 8 + type, ...head, ...new Uint8Array(length)]);
}

function countingMeter() {
  const spent: Record<string, number> = {};
  const faults: string[] = [];
  const meter: Meter = {
    refused: false,
    spend: (kind, amount = 1) => {
      spent[kind] = (spent[kind] ?? 0) + amount;
      return true;
    },
    giveBackFrame() {},
    grantUpdate() {},
    fault: (reason) => void faults.push(reason),
  };
  return { meter, spent, faults };
}

describe("mplex tap", () => {
  it("counts streams, closes, resets and crumbs, wherever their bytes are cut", () => {
    const bytes = Buffer.concat([
      frame(NEW_STREAM, 1),
      frame(MESSAGE, 7),
      frame(MESSAGE, 8),
      frame(MESSAGE, 1000),
      frame(MESSAGE, 0),
      frame(CLOSE, 0),
      frame(RESET, 0),
    ]);
    const random = seededRandom(1);
    for (let run = 0; run < 200; run++) {
      const tap = new MplexTap();
      const { meter, spent, faults } = countingMeter();
      tap.meter = meter;
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.below(run + 1);
        expect(tap.read(bytes.subarray(at, end))).toBe(true);
        at = end;
      }
      expect([spent, faults]).toEqual([{ streams: 1, muxerCrumbs: 2, muxerControl: 2 }, []]);
    }
  });
  it.each([
    ["a type that there is not", [7, 0]],
    ["a number without end", new Array(8).fill(0xff)],
  ])("ends at %s", (_, bytes) => {
    const tap = new MplexTap();
    const { meter, faults } = countingMeter();
    tap.meter = meter;
    expect(tap.read(Uint8Array.from(bytes))).toBe(false);
    expect(faults).toEqual(["BAD_MUXER_FRAME"]);
  });
});

describe("a peer that speaks mplex alone", () => {
  async function setUp() {
    const node = await startNode({ handler: ACCEPT });
    const peer = await startRawPeer(undefined, mplex());
    const connection = await peer.connect(node);
    await until("it is in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 1);
    return { node, peer, connection };
  }
  const rawOf = (connection: Connection) =>
    (connection as unknown as { muxer: { maConn: { send(bytes: Uint8Array): void } } }).muxer.maConn;

  it("is served", async () => {
    const { node, peer } = await setUp();
    await node.network.publish(EXIT, DIGEST, exitBytes(1));
    await until("it hears of it", () => peer.messages.length === 1);
    expect(node.network.disconnects()).toEqual({});
  });
  it.each([
    ["new streams", "STREAM_CHURN", NEW_STREAM, LIMITS.streams.burst],
    ["crumbs", "MUXER_FLOOD", MESSAGE, LIMITS.muxerCrumbs.burst],
    ["resets", "MUXER_FLOOD", RESET, LIMITS.muxerControl.burst],
  ])("is hung up for a flood of %s", async (_, reason, type, burst) => {
    const { node, connection } = await setUp();
    rawOf(connection).send(Buffer.concat(new Array(2 * burst).fill(frame(type, 1))));
    await until("it is hung up", () => connection.status !== "open");
    expect(node.network.disconnects()).toEqual({ [reason]: 1 });
  });
});
