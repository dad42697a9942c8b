import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { reencode } from "../../mutate.ts";

export const reencoding: Attack = {
  name: "reencoding",
  group: "messages",
  what: "Publishes a valid operation, then floods other snappy encodings of the same bytes.",
  source: "snappy is not canonical; message ids are of the payload",
  sound: "Knows all of them by one id: forwards it once, and hangs up on the flood.",
  hangsUp: true,
  async run({ fixture, random, join, flood, takeValid, send, skip }) {
    const operation = takeValid();
    if (operation === null) return skip("no valid operation is left");
    const peer = await join();
    if (peer === null) return;
    send(peer, messageFrame(fixture.topic, compressBlock(operation)));
    await flood(peer, () => messageFrame(fixture.topic, reencode(operation, random)));
  },
};
