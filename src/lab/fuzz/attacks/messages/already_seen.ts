import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { COUNT_OFFSET } from "../../specimens.ts";

export const alreadySeen: Attack = {
  name: "spam-already-seen",
  group: "messages",
  what: "Publishes a valid operation, then floods others for the same validator with made-up proofs.",
  source: "the verdict rules (test/vectors/README.md)",
  sound: "Ignores what follows before it looks at any proof, forwards none, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, random, join, flood, takeValid, send, skip }) {
    const operation = takeValid();
    if (operation === null) return skip("no valid operation is left");
    const peer = await join();
    if (peer === null) return;
    send(peer, messageFrame(fixture.topic, compressBlock(operation)));
    await flood(peer, () => {
      const ssz = operation.slice();
      ssz.set(random.bytes(COUNT_OFFSET));
      return messageFrame(fixture.topic, compressBlock(ssz));
    });
  },
};
