import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";

const TOPICS = 8;

export const graftNovel: Attack = {
  name: "graft-novel-topics",
  group: "control",
  what: "Floods GRAFT for topics that nobody has heard of.",
  source: "CVE-2026-95859",
  sound: "Makes no state for them, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, join, flood }) {
    const peer = await join();
    const topic = () => `/eth2/${Buffer.from(random.bytes(16)).toString("hex")}/triggered_exit/ssz_snappy`;
    if (peer !== null) await flood(peer, () => controlFrame({ graft: Array.from({ length: TOPICS }, topic) }));
  },
};
