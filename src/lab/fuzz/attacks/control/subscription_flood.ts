import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";

const TOPICS = 16;

export const subscriptionFlood: Attack = {
  name: "subscription-flood",
  group: "control",
  what: "Floods subscriptions to topics that nobody has heard of.",
  source: "CVE-2026-46679",
  sound: "Keeps none, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, join, flood }) {
    const peer = await join();
    const subscription = () => ({ topic: Buffer.from(random.bytes(24)).toString("hex"), subscribe: true });
    const next = () => controlFrame({ subscriptions: Array.from({ length: TOPICS }, subscription) });
    if (peer !== null) await flood(peer, next);
  },
};
