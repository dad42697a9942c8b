import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { COUNT_OFFSET } from "../../specimens.ts";
import { floodAfterValid } from "./flood_after_valid.ts";

export const alreadySeen: Attack = {
  name: "spam-already-seen",
  group: "messages",
  what: "Publishes a valid operation, then floods others for the same validator with made-up proofs.",
  source: "the verdict rules (test/vectors/README.md)",
  sound: "Ignores what follows before it looks at any proof, forwards none, and hangs up within a heartbeat.",
  hangsUp: true,
  run: (context) =>
    floodAfterValid(context, (operation) => {
      const ssz = operation.slice();
      ssz.set(context.random.bytes(COUNT_OFFSET));
      return messageFrame(context.fixture.topic, compressBlock(ssz));
    }),
};
