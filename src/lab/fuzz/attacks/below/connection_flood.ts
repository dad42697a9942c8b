import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";

const IDENTITIES = 8;

export const connectionFlood: Attack = {
  name: "connection-flood",
  group: "below",
  what: "Eight identities connect, hang up and connect again, as fast as they are let.",
  source: "CVE-2022-23487; research/measuring.md",
  sound: "Refuses the excess before any cryptography, keeps its honest peers, and takes new ones afterwards.",
  hangsUp: false,
  async run({ targetAddress, clock, signal, identity, count, note }) {
    let dialed = 0;
    let refused = 0;
    const worker = async () => {
      const peer = await identity();
      while (!signal.aborted) {
        dialed++;
        count({ rpcs: 1 });
        try {
          await peer.dial(targetAddress);
          peer.connection.abort(new Error("churn"));
        } catch {
          refused++;
          await sleep(clock, 5, signal);
        }
      }
    };
    await Promise.all(Array.from({ length: IDENTITIES }, worker));
    note("dialed", dialed);
    note("refused", refused);
  },
};
