import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";

export const replay: Attack = {
  name: "replay",
  group: "messages",
  what: "Publishes a valid operation, and again, and again.",
  source: "research/measuring.md",
  sound: "Forwards it once, judges it once, and hangs up on the flood.",
  hangsUp: true,
  async run({ fixture, join, flood, takeValid, skip }) {
    const operation = takeValid();
    if (operation === null) return skip("no valid operation is left");
    const frame = messageFrame(fixture.topic, compressBlock(operation));
    const peer = await join();
    if (peer !== null) await flood(peer, () => frame);
  },
};
