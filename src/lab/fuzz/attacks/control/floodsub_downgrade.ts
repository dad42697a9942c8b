import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { specimenOf } from "../../specimens.ts";

export const FLOODSUB = "/floodsub/1.0.0";

export const floodsubDowngrade: Attack = {
  name: "floodsub-downgrade",
  group: "control",
  what: "Offers floodsub only, to be served without mesh or score, and floods invalid messages there.",
  source: "CVE-2026-86040",
  sound: "Does not speak floodsub.",
  hangsUp: false,
  async run({ fixture, random, join, flood, fault, note }) {
    const peer = await join({ gossipProtocols: [FLOODSUB] });
    note("spoken", peer !== null);
    const specimen = specimenOf(fixture, "UNKNOWN_VALIDATOR");
    if (peer === null || specimen === null) return;
    fault("the target speaks floodsub");
    await flood(peer, () => messageFrame(fixture.topic, specimen(random)));
  },
};
