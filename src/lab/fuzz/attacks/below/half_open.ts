import type { Socket } from "node:net";
import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { openSocket } from "../../sockets.ts";

const PER_SECOND = 50;
const MAX_SOCKETS = 500;

export const halfOpen: Attack = {
  name: "half-open-dials",
  group: "below",
  what: "Opens connections and says nothing, so that handshakes pile up.",
  source: "research/measuring.md: connection limits",
  sound: "Bounds pending handshakes, and takes honest peers afterwards.",
  hangsUp: false,
  async run({ targetAddress, clock, signal, count, note }) {
    const sockets: Socket[] = [];
    try {
      while (!signal.aborted && sockets.length < MAX_SOCKETS) {
        const socket = await openSocket(targetAddress);
        if (socket !== null) sockets.push(socket);
        count({ rpcs: 1 });
        await sleep(clock, 1000 / PER_SECOND, signal);
      }
      note("opened", sockets.length);
      note("stillOpen", sockets.filter((socket) => !socket.destroyed && socket.readyState === "open").length);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  },
};
