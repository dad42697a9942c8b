import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/network/guard/limits.ts";
import { ACCEPT, DIGEST, EXIT, startNode, until } from "../nodes.ts";
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
