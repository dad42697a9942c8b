/**
 * A program that runs the honest nodes around a target, on its views: each is linked with the target and with all the others. Asked
 * by IPC, it tells which exits each node has accepted.
 */
import { untilAborted } from "../../base/abort.ts";
import { asLeashed } from "./leash.ts";
import type { NeighbourOptions } from "./neighbours.ts";
import { answerParent } from "./program.ts";
import { startViewNode } from "./view_node.ts";

const { count, targetAddress, networkDir, stateFile } = JSON.parse(process.argv[2] ?? "") as NeighbourOptions;
const signal = asLeashed();
const addresses: string[] = [];
/** By node, the public keys in hex. */
const accepted = Array.from({ length: count }, () => new Set<string>());
const nodes: { stop(): Promise<void> }[] = [];
for (const pubkeys of accepted) {
  const options = { networkDir, stateFile, bootnodes: [targetAddress, ...addresses], apiPort: null };
  const node = await startViewNode(options, (event) => {
    if (event.event === "ready") addresses.push(event.multiaddrs[0] as string);
    if (event.event === "verdict" && event.result === "accept" && event.pubkey !== null) pubkeys.add(event.pubkey);
  });
  nodes.push(node);
}
answerParent(() => accepted.map((pubkeys) => [...pubkeys]));
process.stdout.write(`${JSON.stringify(addresses)}\n`);
await untilAborted(signal);
await Promise.all(nodes.map((node) => node.stop()));
process.exit();
