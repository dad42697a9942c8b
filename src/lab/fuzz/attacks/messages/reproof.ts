import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";

const INTERVAL_MS = 5;

export const reproof: Attack = {
  name: "reproof",
  group: "messages",
  what: "Publishes one message proven against every stored root in turn: all true, all with different ids.",
  source: "design.md §4, trap (c)",
  sound: "Forwards the first that lasts, and no further one while that root lasts.",
  hangsUp: false,
  async run({ fixture, clock, signal, join, send, skip }) {
    if (fixture.reproofs.length === 0) return skip("no message with several proofs is known");
    const peer = await join();
    if (peer === null) return;
    for (const operation of fixture.reproofs) {
      if (signal.aborted) return;
      send(peer, messageFrame(fixture.topic, compressBlock(operation)));
      await sleep(clock, INTERVAL_MS, signal);
    }
  },
};
