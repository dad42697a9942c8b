import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import { computeMessageId } from "../../../../network/message_id.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../../../spec/constants.ts";
import type { Attack } from "../../attack.ts";
import { controlFrame, messageFrame } from "../../frames.ts";
import { forge } from "../../specimens.ts";

/** Stock JS answers ten IWANTs a peer a heartbeat: several accomplices, slowly. */
const ACCOMPLICES = 4;
const INTERVAL_MS = 60;
/** Before the message, with it, and after the verdict. */
const DELAYS_MS = [0, 2, 20];

export const iwantUnvalidated: Attack = {
  name: "iwant-unvalidated",
  group: "control",
  what: "Sends invalid messages, and lets accomplices ask for them by IWANT before, during and after the verdict.",
  source: "design.md §5.1: handleIWant never looks at `validated`",
  sound: "Serves nothing that it has not accepted.",
  hangsUp: false,
  async run({ fixture, random, clock, signal, join, send, fault, note }) {
    const ids = new Set<string>();
    let leaked = 0;
    const onRpc = ({ messages }: { messages: { topic: string; data?: Uint8Array }[] }) => {
      for (const { data = new Uint8Array() } of messages) {
        if (ids.has(idOf(data).toString("hex"))) leaked++;
      }
    };
    const idOf = (data: Uint8Array) => Buffer.from(computeMessageId(fixture.topic, data, TRIGGERED_EXIT_SIZE_BYTES));
    const spammer = await join();
    const accomplices = await Promise.all(Array.from({ length: ACCOMPLICES }, () => join({ onRpc })));
    if (spammer === null) return;
    for (let round = 0; !signal.aborted; round++) {
      const data = compressBlock(forge(fixture, fixture.bystander, random));
      const id = idOf(data);
      ids.add(id.toString("hex"));
      const accomplice = accomplices[round % ACCOMPLICES];
      if (accomplice == null) break;
      const ask = controlFrame({ iwant: [[id]] });
      const delayMs = DELAYS_MS[round % DELAYS_MS.length] as number;
      send(spammer, messageFrame(fixture.topic, data));
      if (delayMs > 0) await sleep(clock, delayMs, signal);
      send(accomplice, ask);
      await sleep(clock, INTERVAL_MS, signal);
    }
    note("asked", ids.size);
    if (leaked > 0) fault(`${leaked} messages that were never accepted were served to IWANT`);
  },
};
