import type { Attack } from "../../attack.ts";
import { frameOf } from "../../rpc.ts";

export const emptyFrames: Attack = {
  name: "empty-frames",
  group: "control",
  what: "Floods frames of length zero.",
  source: "research/measuring.md: 182,000 at 74 % CPU, unpenalised in stock JS",
  sound: "Hangs up within a heartbeat.",
  hangsUp: true,
  async run({ join, flood }) {
    const frame = { bytes: frameOf(new Uint8Array()), messages: 0 };
    const peer = await join();
    if (peer !== null) await flood(peer, () => frame);
  },
};
