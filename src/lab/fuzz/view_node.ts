import { systemClock } from "../../base/clock.ts";
import { createLogger } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { NodeEventSink } from "../../node_events.ts";
import { type RunningFixedNode, startFixedNode } from "../../node_fixed.ts";

export interface ViewNodeOptions {
  /** With its genesis, which is final. */
  readonly networkDir: string;
  readonly stateFile: string;
  /** Multiaddrs with peer ids. */
  readonly bootnodes: readonly string[];
  /** Null: no API. */
  readonly apiPort: number | null;
}

/** The node on the fixed views of a network of the tool's own, as `msgbus node --state` runs it. */
export function startViewNode(
  { networkDir, stateFile, bootnodes, apiPort }: ViewNodeOptions,
  onEvent: NodeEventSink,
): Promise<RunningFixedNode> {
  return startFixedNode(
    {
      networkDir,
      stateFile,
      finalizedStateFile: `${networkDir}/genesis.ssz`,
      timeMs: null,
      dataDir: null,
      listen: ["/ip4/127.0.0.1/tcp/0"],
      bootnodes,
      apiPort,
      apiHost: "127.0.0.1",
      version: "fuzz",
    },
    { clock: systemClock, random: systemRandom, log: createLogger("error"), onEvent },
  );
}
