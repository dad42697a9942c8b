import type { Attack } from "../../attack.ts";
import { controlFrame, randomIds } from "../../frames.ts";
import { MESHSUB_12 } from "../../raw_peer.ts";

const IDS = 32;

export const idontwantFlood: Attack = {
  name: "idontwant-flood",
  group: "control",
  what: "Floods IDONTWANT with ids of messages that do not exist.",
  source: "gossipsub 1.2; research/measuring.md",
  sound: "Remembers a bounded number, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, join, flood }) {
    const peer = await join({ gossipProtocols: [MESHSUB_12] });
    if (peer !== null) await flood(peer, () => controlFrame({ idontwant: [randomIds(IDS, random)] }));
  },
};
