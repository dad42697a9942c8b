/** Prometheus metrics behind typed functions: callers name what happened and never a metric. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Verdict } from "../validation/verdict.ts";

/**
 * Distinct values that one label may take. Codes, topics and events are closed lists, some tens in all: this guards the
 * scrape, and the memory behind it, against a value that was meant to be one and is not. What comes later is "other".
 */
const MAX_LABEL_VALUES = 64;

/** Seconds: hashless verdicts take microseconds, and gossipsub forgets a message after 6 heartbeats, 4.2 s. */
const VERDICT_BUCKETS_S = [0.000_02, 0.000_1, 0.000_5, 0.002_5, 0.01, 0.05, 0.25, 1, 4.2];

export interface Metrics {
  /** `topic` by its name; the attestation subnets count as one. */
  observeVerdict(topic: string, verdict: Verdict, durationMs: number): void;
  setPoolSize(triggeredExits: number): void;
  setParked(triggeredExits: number): void;
  setPeers(connected: number): void;
  setMeshPeers(topic: string, peers: number): void;
  /** What the network has counted since it started, by name, and the peers it hung up, by reason. */
  setNetworkCounts(events: Readonly<Record<string, number>>, disconnects: Readonly<Record<string, number>>): void;
  /** What the connected peers have spent of the guard's limits, by kind. */
  setGuardSpent(spent: Readonly<Record<string, number>>): void;
  setHeadSlot(slot: number): void;
  setFinalizedSlot(slot: number): void;
  setExecutionAvailable(available: boolean): void;
  /** Runs `refresh` before each scrape, to set the gauges that nobody pushes. */
  onScrape(refresh: () => void): void;
  readonly contentType: string;
  /** The text of a scrape. */
  render(): Promise<string>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const verdicts = new Counter({
    name: "msgbus_gossip_verdicts_total",
    help: "Verdicts on gossip messages",
    labelNames: ["topic", "result", "code"],
    registers,
  });
  const verdictSeconds = new Histogram({
    name: "msgbus_gossip_verdict_seconds",
    help: "Time from a gossip message's arrival to its verdict",
    labelNames: ["topic"],
    buckets: VERDICT_BUCKETS_S,
    registers,
  });
  const networkEvents = new Counter({
    name: "msgbus_network_events_total",
    help: "What the network counts",
    labelNames: ["event"],
    registers,
  });
  const disconnects = new Counter({
    name: "msgbus_peer_disconnects_total",
    help: "Peers hung up by this node",
    labelNames: ["reason"],
    registers,
  });
  const guardSpent = new Gauge({
    name: "msgbus_peer_guard_spent",
    help: "What the connected peers have spent of the peer guard's limits",
    labelNames: ["kind"],
    registers,
  });
  const meshPeers = new Gauge({
    name: "msgbus_mesh_peers",
    help: "Peers in the gossip mesh",
    labelNames: ["topic"],
    registers,
  });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const poolSize = gauge("msgbus_pool_triggered_exits", "Triggered exits in the pool");
  const parked = gauge("msgbus_parked_triggered_exits", "Triggered exits that wait for their root");
  const peers = gauge("msgbus_peers", "Connected peers");
  const headSlot = gauge("msgbus_head_slot", "Slot of the head block");
  const finalizedSlot = gauge("msgbus_finalized_slot", "First slot of the finalized epoch");
  const executionAvailable = gauge("msgbus_execution_available", "1 while the execution client answers, else 0");

  const topicLabel = boundedLabel();
  const codeLabel = boundedLabel();
  const topicOf = (topic: string) => topicLabel(topic.startsWith("beacon_attestation_") ? "beacon_attestation" : topic);
  const eventLabel = boundedLabel();
  const reasonLabel = boundedLabel();
  const kindLabel = boundedLabel();
  const refreshers: (() => void)[] = [];

  return {
    observeVerdict(topicName, { result, code }, durationMs) {
      const topic = topicOf(topicName);
      verdicts.inc({ topic, result, code: codeLabel(code) });
      verdictSeconds.observe({ topic }, durationMs / 1000);
    },
    setPoolSize: (triggeredExits) => poolSize.set(triggeredExits),
    setParked: (triggeredExits) => parked.set(triggeredExits),
    setPeers: (connected) => peers.set(connected),
    setMeshPeers: (topic, count) => meshPeers.set({ topic: topicOf(topic) }, count),
    setNetworkCounts(eventCounts, reasonCounts) {
      networkEvents.reset();
      for (const [event, count] of Object.entries(eventCounts)) networkEvents.inc({ event: eventLabel(event) }, count);
      disconnects.reset();
      for (const [reason, count] of Object.entries(reasonCounts)) {
        disconnects.inc({ reason: reasonLabel(reason) }, count);
      }
    },
    setGuardSpent(spent) {
      guardSpent.reset();
      for (const [kind, amount] of Object.entries(spent)) guardSpent.inc({ kind: kindLabel(kind) }, amount);
    },
    setHeadSlot: (slot) => headSlot.set(slot),
    setFinalizedSlot: (slot) => finalizedSlot.set(slot),
    setExecutionAvailable: (available) => executionAvailable.set(available ? 1 : 0),
    onScrape: (refresh) => refreshers.push(refresh),
    contentType: registry.contentType,
    async render() {
      for (const refresh of refreshers) refresh();
      return registry.metrics();
    },
  };
}

function boundedLabel(): (value: string) => string {
  const values = new Set<string>();
  return (value) => {
    if (values.size < MAX_LABEL_VALUES) values.add(value);
    return values.has(value) ? value : "other";
  };
}
