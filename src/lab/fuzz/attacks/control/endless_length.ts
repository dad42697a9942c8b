import type { Attack } from "../../attack.ts";

const ENDLESS = Buffer.alloc(16 * 1024, 0xff);

export const endlessLength: Attack = {
  name: "endless-length",
  group: "control",
  what: "Sends a frame whose length prefix never ends, on the gossip stream.",
  source: "fuzzing of length prefixes",
  sound: "Hangs up after the few bytes that a length may have.",
  hangsUp: true,
  async run({ rate, join, flood }) {
    const peer = await join();
    const frame = { bytes: ENDLESS, messages: 0 };
    if (peer !== null) await flood(peer, () => frame, { rate: rate / 100 });
  },
};
