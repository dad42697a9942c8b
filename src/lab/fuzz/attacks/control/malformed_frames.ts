import type { Attack } from "../../attack.ts";
import { frameOf } from "../../rpc.ts";

export const malformedFrames: Attack = {
  name: "malformed-frames",
  group: "control",
  what: "Floods frames that are no protobuf.",
  source: "research/measuring.md: 101,000 at 90 % CPU, unpenalised in stock JS",
  sound: "Hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, join, flood }) {
    const peer = await join();
    const next = () => ({ bytes: frameOf(random.bytes(1 + random.below(200))), messages: 0 });
    if (peer !== null) await flood(peer, next);
  },
};
