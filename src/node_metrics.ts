import type { Metrics } from "./api/metrics.ts";
import type { Network } from "./network/network.ts";

/** Sets what metrics tell of the network as a whole, at each scrape. */
export function measureNetwork(metrics: Metrics, network: Network): void {
  const peers = network.peers();
  metrics.setPeers(peers.length);
  metrics.setNetworkCounts(network.counters(), network.disconnects());
  const spent: Record<string, number> = {};
  for (const { guard } of peers) {
    for (const [kind, amount] of Object.entries(guard)) spent[kind] = (spent[kind] ?? 0) + amount;
  }
  metrics.setGuardSpent(spent);
}
