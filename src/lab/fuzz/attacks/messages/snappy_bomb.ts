import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { varint } from "../../rpc.ts";

/** What snappy can say in three bytes: copy the 64 before. */
const COPY_64 = Uint8Array.of(((64 - 1) << 2) | 2, 64, 0);
const BOMB_COPIES = 16_384;
const LITERAL_64 = 60 << 2;

export const snappyBomb: Attack = {
  name: "snappy-bomb",
  group: "messages",
  what: "Floods blocks of 48 kB that decompress to 1 MiB, and blocks that claim 4 GiB.",
  source: "design.md §5.10; decompression bombs",
  sound: "Reads the declared length first, decompresses nothing, and hangs up.",
  hangsUp: true,
  async run({ fixture, random, rate, join, flood }) {
    const copies = Buffer.concat(Array.from({ length: BOMB_COPIES }, () => COPY_64));
    const peer = await join();
    if (peer === null) return;
    const next = () => {
      const literal = Buffer.concat([Uint8Array.of(LITERAL_64, 63), random.bytes(64)]);
      const claimed = random.below(4) === 0 ? 2 ** 32 - 1 : 64 * (BOMB_COPIES + 1);
      return messageFrame(fixture.topic, Buffer.concat([varint(claimed), literal, copies]));
    };
    // 48 kB each: a hundredth of the rate fills the wire.
    await flood(peer, next, { rate: rate / 100 });
  },
};
