import type { Attack } from "../../attack.ts";
import { controlFrame, randomIds } from "../../frames.ts";

const IDS = 16;

export const ihaveFlood: Attack = {
  name: "ihave-flood",
  group: "control",
  what: "Floods IHAVE with ids of messages that do not exist.",
  source: "gossipsub-hardening (Protocol Labs); research/measuring.md: 91 MB in stock JS",
  sound: "Asks for few of them, holds no memory of the rest, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, random, join, flood }) {
    const peer = await join();
    const next = () => controlFrame({ ihave: [{ topic: fixture.topic, messageIds: randomIds(IDS, random) }] });
    if (peer !== null) await flood(peer, next);
  },
};
