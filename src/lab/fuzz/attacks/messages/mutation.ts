import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { mutate } from "../../mutate.ts";
import { forge } from "../../specimens.ts";

export const mutation: Attack = {
  name: "mutation",
  group: "messages",
  what: "Floods valid operations with one random change each: bits, fields, lengths, snappy; hung up, it comes under the next name.",
  source: "fuzzing",
  sound: "Forwards none that is not valid, and hangs up on each identity within a heartbeat.",
  hangsUp: true,
  async run({ fixture, random, signal, join, flood, takeValid, note }) {
    // Mutations may turn out valid (another encoding of the same): few operations are enough for many mutations.
    const operations = Array.from({ length: 16 }, () => takeValid() ?? forge(fixture, fixture.bystander, random));
    let identities = 0;
    while (!signal.aborted) {
      const peer = await join();
      if (peer === null) break;
      identities++;
      await flood(peer, () => {
        const operation = operations[random.below(operations.length)] as Uint8Array;
        return messageFrame(fixture.topic, mutate(operation, random));
      });
    }
    note("identitiesUsed", identities);
  },
};
