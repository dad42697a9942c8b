import type { Attack } from "../../attack.ts";
import { controlFrame, randomIds } from "../../frames.ts";

const PER_SECOND = 10;
const IDS = 64;
/** Of gossipsub: ids that it asks one peer for in a heartbeat. */
const IWANT_LIMIT = 5_000;

export const ihaveLies: Attack = {
  name: "ihave-lies",
  group: "control",
  what: "Announces messages that it never delivers, slowly enough for no rate limit.",
  source: "gossipsub 1.1: broken promises",
  sound: "Asks for a bounded number, and goes on serving the honest.",
  hangsUp: false,
  async run({ fixture, random, join, flood, fault, note }) {
    let asked = 0;
    const peer = await join({
      onRpc: ({ control }) => {
        for (const { messageIDs } of control?.iwant ?? []) asked += messageIDs.length;
      },
    });
    if (peer === null) return;
    const next = () => controlFrame({ ihave: [{ topic: fixture.topic, messageIds: randomIds(IDS, random) }] });
    await flood(peer, next, { rate: PER_SECOND });
    note("asked", asked);
    if (asked > 2 * IWANT_LIMIT) fault(`the target asked for ${asked} messages that do not exist`);
  },
};
