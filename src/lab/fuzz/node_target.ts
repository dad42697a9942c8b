/** A target's program: a node on fixed views, its events unsaid but for the first. */
import { untilAborted } from "../../base/abort.ts";
import { asLeashed } from "./leash.ts";
import type { ReadyEvent, TargetOptions } from "./target.ts";
import { startViewNode } from "./view_node.ts";

const { networkDir, stateFile } = JSON.parse(process.argv[2] ?? "") as TargetOptions;
const signal = asLeashed();
const node = await startViewNode({ networkDir, stateFile, bootnodes: [], apiPort: 0 }, (event) => {
  if (event.event !== "ready") return;
  const { multiaddrs, apiUrl } = event;
  process.stdout.write(`${JSON.stringify({ multiaddrs, apiUrl } satisfies ReadyEvent)}\n`);
});
await untilAborted(signal);
await node.stop();
// An API client that keeps its connection must not keep the process.
process.exit();
