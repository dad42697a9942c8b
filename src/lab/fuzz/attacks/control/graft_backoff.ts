import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";

export const graftBackoff: Attack = {
  name: "graft-in-backoff",
  group: "control",
  what: "Leaves the mesh and floods GRAFT within the backoff.",
  source: "gossipsub 1.1; research/measuring.md: honest p99 834 ms in stock JS",
  sound: "Does not graft, counts it, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, join, flood, send }) {
    const peer = await join();
    if (peer === null) return;
    send(peer, controlFrame({ graft: [fixture.topic] }));
    send(peer, controlFrame({ prune: [{ topic: fixture.topic, backoff: 60n }] }));
    const frame = controlFrame({ graft: [fixture.topic] });
    await flood(peer, () => frame);
  },
};
