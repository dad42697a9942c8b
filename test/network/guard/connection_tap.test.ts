import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { compressBlock } from "../../../src/network/encoding.ts";
import { LIMITS } from "../../../src/network/guard/limits.ts";
import { ACCEPT, DIGEST, EXIT, EXIT_TOPIC, exitBytes, startNode, until } from "../nodes.ts";
import { startRawPeer } from "../raw_peer.ts";

const DEADLINE_MS = 30_000;

describe("connection tap", () => {
  it(
    "lets a stock js-libp2p peer answer each data frame with a window update",
    async () => {
      const FRAMES = 3 * LIMITS.muxerControl.burst + 500;
      const BATCH = 100;
      const node = await startNode({ handler: ACCEPT });
      const peer = await startRawPeer();
      await peer.connect(node);
      await until("it is in the mesh", () => node.network.meshPeerCount(EXIT, DIGEST) === 1);
      for (let sent = 0; sent < FRAMES; sent++) {
        await node.network.publish(EXIT, DIGEST, Buffer.from(`exit ${sent}`));
        // What is written in one turn is one frame.
        await setImmediate();
        if (sent % BATCH === 0) await until("it has read those", () => peer.messages.length >= sent, DEADLINE_MS);
      }
      await until("it has read all", () => peer.messages.length === FRAMES, DEADLINE_MS);
      await until("it has answered all", () => (node.network.peers()[0]?.guard.muxerControl ?? 0) >= FRAMES);
      expect(node.network.disconnects()).toEqual({});
    },
    2 * DEADLINE_MS,
  );
});

it("window of a node's stream: never so large that an honest peer's frames look like a flood after a stall", async () => {
  const FRAMES = 5_000;
  const BATCH = 50;
  const EXIT_BYTES = exitBytes(0).length;
  const node = await startNode({ handler: ACCEPT });
  const peer = await startRawPeer();
  const connection = await peer.connect(node);
  const stream = connection.streams.find(
    ({ protocol, direction }) => protocol === "/meshsub/1.1.0" && direction === "outbound",
  );
  const granted = stream as unknown as { readonly sendWindowCapacity: number };
  let largest = 0;
  for (let sent = 0; sent < FRAMES; sent++) {
    peer.send({ messages: [{ topic: EXIT_TOPIC, data: compressBlock(randomBytes(EXIT_BYTES)) }] });
    if (sent % BATCH === 0) await until("those are judged", () => node.verdicts.length >= sent);
    largest = Math.max(largest, granted.sendWindowCapacity);
  }
  expect(node.network.disconnects()).toEqual({});
  expect(largest).toBeGreaterThan(256 * 1024);
  expect(largest / EXIT_BYTES).toBeLessThanOrEqual(LIMITS.frames.burst);
});
