import { expect, test } from "vitest";
import { createMetrics } from "../../src/api/metrics.ts";

test("metrics: verdicts are counted by topic, result and code, and timed", async () => {
  const metrics = createMetrics();
  metrics.observeVerdict("triggered_exit", { result: "reject", code: "WRONG_SENDER" }, 0.3);
  metrics.observeVerdict("triggered_exit", { result: "reject", code: "WRONG_SENDER" }, 40);
  const text = await metrics.render();
  expect(text).toContain('msgbus_gossip_verdicts_total{topic="triggered_exit",result="reject",code="WRONG_SENDER"} 2');
  expect(text).toContain('msgbus_gossip_verdict_seconds_bucket{le="0.0005",topic="triggered_exit"} 1');
  expect(text).toContain('msgbus_gossip_verdict_seconds_count{topic="triggered_exit"} 2');
});

test("metrics: every function shows in the scrape", async () => {
  const metrics = createMetrics();
  metrics.setPoolSize(1);
  metrics.setPeers(2);
  metrics.setMeshPeers("beacon_block", 3);
  metrics.setNetworkCounts({ queueFull: 6 }, { RPC_RATE: 7 });
  metrics.setNetworkCounts({ queueFull: 8 }, { RPC_RATE: 9 });
  metrics.setGuardSpent({ frames: 10 });
  metrics.setHeadSlot(4);
  metrics.setFinalizedSlot(5);
  metrics.setExecutionAvailable(true);
  const text = await metrics.render();
  for (const line of [
    "msgbus_pool_triggered_exits 1",
    "msgbus_peers 2",
    'msgbus_mesh_peers{topic="beacon_block"} 3',
    'msgbus_network_events_total{event="queueFull"} 8',
    'msgbus_peer_disconnects_total{reason="RPC_RATE"} 9',
    'msgbus_peer_guard_spent{kind="frames"} 10',
    "msgbus_head_slot 4",
    "msgbus_finalized_slot 5",
    "msgbus_execution_available 1",
    "process_cpu_seconds_total",
  ]) {
    expect(text).toContain(line);
  }
});

test("metrics: gauges are refreshed before each scrape", async () => {
  const metrics = createMetrics();
  let slot = 0;
  metrics.onScrape(() => metrics.setHeadSlot(++slot));
  await metrics.render();
  expect(await metrics.render()).toContain("msgbus_head_slot 2");
});

test("metrics: labels stay bounded whatever they are given", async () => {
  const metrics = createMetrics();
  for (let i = 0; i < 1_000; i++) {
    metrics.observeVerdict(`beacon_attestation_${i}`, { result: "ignore", code: `CODE_${i}` }, 1);
  }
  const text = await metrics.render();
  expect(text.match(/^msgbus_gossip_verdicts_total\{/gm)).toHaveLength(65);
  expect(text).toContain('msgbus_gossip_verdict_seconds_count{topic="beacon_attestation"} 1000');
});

test("metrics: two nodes in one process keep their own", async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.setPeers(1);
  expect(await second.render()).toContain("msgbus_peers 0");
});
