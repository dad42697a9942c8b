import type { Attack } from "../../attack.ts";
import { controlFrame } from "../../frames.ts";

export const subscriptionChurn: Attack = {
  name: "subscription-churn",
  group: "control",
  what: "Subscribes to the topic and unsubscribes from it, thousands of times a second.",
  source: "research/measuring.md: honest p99 204 ms in stock JS",
  sound: "Hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, join, flood }) {
    const frames = [true, false].map((subscribe) =>
      controlFrame({ subscriptions: [{ topic: fixture.topic, subscribe }] }),
    );
    const peer = await join();
    let turn = 0;
    if (peer !== null) await flood(peer, () => frames[turn++ % 2] as (typeof frames)[number]);
  },
};
