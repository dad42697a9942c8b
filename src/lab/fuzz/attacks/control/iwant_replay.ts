import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import { computeMessageId } from "../../../../network/message_id.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../../../spec/constants.ts";
import type { Attack } from "../../attack.ts";
import { controlFrame, messageFrame } from "../../frames.ts";

const SETTLE_MS = 50;
/** Times that a message may be served to one peer: gossipsub's 3, for each message asked for here. */
const SERVED_LIMIT = 10;

export const iwantReplay: Attack = {
  name: "iwant-replay",
  group: "control",
  what: "Asks by IWANT for the same message over and over: a small question with a large answer.",
  source: "gossipsub 1.1: IWANT flooding",
  sound: "Serves a message to one peer a few times at most, and hangs up on the flood.",
  hangsUp: true,
  async run({ fixture, clock, signal, join, flood, takeValid, fault, note, send, skip }) {
    const operation = takeValid();
    if (operation === null) return skip("no valid operation is left");
    const publisher = await join();
    let served = 0;
    const peer = await join({
      onRpc: ({ messages }) => {
        served += messages.length;
      },
    });
    if (publisher === null || peer === null) return;
    const data = compressBlock(operation);
    send(publisher, messageFrame(fixture.topic, data));
    await sleep(clock, SETTLE_MS, signal);
    const ids = [computeMessageId(fixture.topic, data, TRIGGERED_EXIT_SIZE_BYTES)];
    served = 0;
    const frame = controlFrame({ iwant: [ids] });
    const honestCopies = () => served;
    await flood(peer, () => frame);
    note("served", honestCopies());
    if (served > SERVED_LIMIT + 100) fault(`the target served ${served} messages to one that asked for one`);
  },
};
