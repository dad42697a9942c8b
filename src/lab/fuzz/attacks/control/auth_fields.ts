import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame, randomPeerId } from "../../frames.ts";
import type { WireMessage } from "../../rpc.ts";
import { forge } from "../../specimens.ts";

const SETTLE_MS = 20;

export const authFields: Attack = {
  name: "auth-fields",
  group: "control",
  what: "Sends valid operations with `from`, `seqno`, `signature` or `key`, then floods such messages.",
  source: "design.md §5.2, §5.13: go peers score the honest relay −110 to −440",
  sound: "Relays none of them under StrictNoSign, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ fixture, random, clock, signal, join, flood, takeValid, send }) {
    const fields: ((message: Uint8Array) => Partial<WireMessage>)[] = [
      () => ({ from: randomPeerId(random) }),
      () => ({ seqno: random.bytes(8) }),
      () => ({ signature: random.bytes(64) }),
      () => ({ key: random.bytes(36) }),
      () => ({ from: new Uint8Array() }),
    ];
    const peer = await join();
    if (peer === null) return;
    for (const field of fields) {
      const operation = takeValid();
      if (operation === null) break;
      send(peer, messageFrame(fixture.topic, compressBlock(operation), field(operation)));
      await sleep(clock, SETTLE_MS, signal);
    }
    await flood(peer, () => {
      const data = compressBlock(forge(fixture, fixture.bystander, random));
      const field = fields[random.below(fields.length)] as (typeof fields)[number];
      return messageFrame(fixture.topic, data, field(data));
    });
  },
};
