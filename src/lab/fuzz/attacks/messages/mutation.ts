import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { mutate } from "../../mutate.ts";
import { forge } from "../../specimens.ts";

const PARALLEL = 16;
const RETRY_MS = 50;

export const mutation: Attack = {
  name: "mutation",
  group: "messages",
  what: "Floods valid operations with one random change each: bits, fields, lengths, snappy; hung up, each of sixteen attackers comes under its next name.",
  source: "fuzzing",
  sound: "Forwards none that is not valid, and hangs up on each identity within a heartbeat.",
  hangsUp: true,
  async run({ fixture, random, rate, clock, signal, join, retire, flood, takeValid, note }) {
    // Mutations may turn out valid (another encoding of the same): few operations are enough for many mutations.
    const operations = Array.from({ length: 16 }, () => takeValid() ?? forge(fixture, fixture.bystander, random));
    const next = () => {
      const operation = operations[random.below(operations.length)] as Uint8Array;
      return messageFrame(fixture.topic, mutate(operation, random));
    };
    let refused = 0;
    const attack = async () => {
      while (!signal.aborted) {
        const peer = await join();
        if (peer === null) {
          refused++;
          await sleep(clock, RETRY_MS, signal);
          continue;
        }
        await flood(peer, next, { rate: rate / PARALLEL });
        await retire(peer);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, attack));
    note("joinsRefused", refused);
  },
};
