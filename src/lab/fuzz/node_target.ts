/** A target's program: the node on fixed views, as `msgbus node --state` runs it, its events unsaid but for the first. */
import { untilAborted } from "../../base/abort.ts";
import { systemClock } from "../../base/clock.ts";
import { createLogger } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { startFixedNode } from "../../node_fixed.ts";
import { asLeashed } from "./leash.ts";
import type { ReadyEvent, TargetOptions } from "./target.ts";

const { networkDir, stateFile } = JSON.parse(process.argv[2] ?? "") as TargetOptions;
const signal = asLeashed();
const node = await startFixedNode(
  {
    networkDir,
    stateFile,
    finalizedStateFile: `${networkDir}/genesis.ssz`,
    timeMs: null,
    dataDir: null,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootnodes: [],
    apiPort: 0,
    apiHost: "127.0.0.1",
    version: "fuzz",
  },
  {
    clock: systemClock,
    random: systemRandom,
    log: createLogger("error"),
    onEvent(event) {
      if (event.event !== "ready") return;
      const { multiaddrs, apiUrl } = event;
      process.stdout.write(`${JSON.stringify({ multiaddrs, apiUrl } satisfies ReadyEvent)}\n`);
    },
  },
);
await untilAborted(signal);
await node.stop();
// An API client that keeps its connection must not keep the process.
process.exit();
