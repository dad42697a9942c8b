import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";

const DATA_BYTES = 512;

export const unknownTopics: Attack = {
  name: "unknown-topics",
  group: "control",
  what: "Floods messages on topics that nobody subscribes to, another one each time.",
  source: "research/measuring.md: heap +107 to 182 MB in stock JS",
  sound: "Keeps nothing of them, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, join, flood }) {
    const peer = await join();
    const topic = () => `/eth2/${Buffer.from(random.bytes(4)).toString("hex")}/triggered_exit/ssz_snappy`;
    if (peer !== null) await flood(peer, () => messageFrame(topic(), compressBlock(random.bytes(DATA_BYTES))));
  },
};
