import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { varint } from "../../rpc.ts";
import { FIRST_STREAM_ID, YAMUX_FLAG, YAMUX_TYPE, yamuxFrame } from "../../yamux_frames.ts";

const IDENTITIES = 4;
const INTERVAL_MS = 50;
/** Below every bound on a frame: the claim itself is allowed. */
const CLAIMED_RPC_BYTES = 8 * 1024 * 1024;
const CLAIMED_YAMUX_BYTES = 2 ** 32 - 1;

export const slowLoris: Attack = {
  name: "slow-loris",
  group: "below",
  what: "Announces huge lengths, of RPCs and of yamux frames, and sends a byte now and then.",
  source: "CVE-2026-73568",
  sound: "Allocates what has come and not what was announced, and survives.",
  hangsUp: false,
  async run({ clock, signal, join, count }) {
    const peers = await Promise.all(Array.from({ length: IDENTITIES }, () => join()));
    for (const [i, peer] of peers.entries()) {
      if (peer === null) continue;
      if (i % 2 === 0) {
        peer.sendBytes(varint(CLAIMED_RPC_BYTES));
        continue;
      }
      peer.sendBytes(yamuxFrame(YAMUX_TYPE.windowUpdate, YAMUX_FLAG.syn, FIRST_STREAM_ID, 0), peer.transport);
      peer.sendBytes(yamuxFrame(YAMUX_TYPE.data, 0, FIRST_STREAM_ID, CLAIMED_YAMUX_BYTES), peer.transport);
    }
    while (!signal.aborted) {
      for (const [i, peer] of peers.entries()) {
        peer?.sendBytes(Uint8Array.of(0), i % 2 === 0 ? undefined : peer.transport);
        count({ rpcs: 1, bytes: 1 });
      }
      await sleep(clock, INTERVAL_MS, signal);
    }
  },
};
