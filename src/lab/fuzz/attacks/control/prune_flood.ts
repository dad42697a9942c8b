import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";
import { UINT64_MAX } from "../../rpc.ts";

export const pruneFlood: Attack = {
  name: "prune-flood",
  group: "control",
  what: "Floods PRUNE, each with the largest backoff.",
  source: "research/measuring.md: honest p99 2,153 ms in stock JS",
  sound: "Hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, join, flood }) {
    const frame = controlFrame({ prune: [{ topic: fixture.topic, backoff: UINT64_MAX }] });
    const peer = await join();
    if (peer !== null) await flood(peer, () => frame);
  },
};
