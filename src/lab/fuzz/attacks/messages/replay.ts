import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { floodAfterValid } from "./flood_after_valid.ts";

export const replay: Attack = {
  name: "replay",
  group: "messages",
  what: "Publishes a valid operation, and again, and again.",
  source: "research/measuring.md",
  sound: "Forwards it once, judges it once, and hangs up on the flood.",
  hangsUp: true,
  run: (context) =>
    floodAfterValid(context, (operation) => messageFrame(context.fixture.topic, compressBlock(operation))),
};
