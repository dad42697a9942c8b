import type { Attack } from "../../attack.ts";
import { varint } from "../../rpc.ts";

const CLAIMED_BYTES = 1024 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** 160 MB/s at the default rate. */
const CHUNKS_PER_RPC = 0.25;

export const oversizeRpc: Attack = {
  name: "oversize-rpc",
  group: "control",
  what: "Announces a frame of a gibibyte, and sends it.",
  source: "design.md §5.11: 853 MB swallowed in 4 s by stock JS",
  sound: "Hangs up at the announcement.",
  hangsUp: true,
  async run({ rate, join, flood, send }) {
    const peer = await join();
    if (peer === null) return;
    send(peer, { bytes: varint(CLAIMED_BYTES), messages: 0 });
    const chunk = { bytes: new Uint8Array(CHUNK_BYTES), messages: 0 };
    await flood(peer, () => chunk, { rate: rate * CHUNKS_PER_RPC });
  },
};
