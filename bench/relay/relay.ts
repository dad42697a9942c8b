/** The relay's process: its CPU is what is measured. */
import { createIdentity } from "../../src/network/identity.ts";
import type { RelayAnswer, RelayName } from "./protocol.ts";
import { startBenchNode } from "./stacks.ts";

function tell(answer: RelayAnswer): void {
  process.send?.(answer);
}

const { privateKey } = await createIdentity();
const node = await startBenchNode({ stack: process.argv[2] as RelayName, privateKey, dial: null });
process.on("message", () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const rssBytes = process.memoryUsage.rss();
  tell({ event: "usage", cpuUs: userCPUTime + systemCPUTime, rssBytes, meshed: node.meshPeers() });
});
process.on("disconnect", () => process.exit());
tell({ event: "ready", address: node.address });
