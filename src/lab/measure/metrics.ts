/** The figures that stand in tables, and by which runs are compared. */
import type { Report } from "./report.ts";

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly better: "lower" | "higher" | "neither";
  value(report: Report): number | null;
}

const LATENCIES = ["p50", "p90", "p95", "p99", "max"] as const;

const lower = (key: string, label: string, unit: string, value: Metric["value"]): Metric => ({
  key,
  label,
  unit,
  better: "lower",
  value,
});
const higher = (key: string, label: string, unit: string, value: Metric["value"]): Metric => ({
  ...lower(key, label, unit, value),
  better: "higher",
});
const neither = (key: string, label: string, unit: string, value: Metric["value"]): Metric => ({
  ...lower(key, label, unit, value),
  better: "neither",
});

export const METRICS: readonly Metric[] = [
  ...LATENCIES.map((name) =>
    lower(`latency_${name}`, `publish → deliver ${name}`, "ms", (r) => r.latencyMs.fromPublish?.[name] ?? null),
  ),
  ...(["p50", "p99"] as const).map((name) =>
    lower(
      `first_${name}`,
      `first receipt → deliver ${name}`,
      "ms",
      (r) => r.latencyMs.fromFirstReceipt?.[name] ?? null,
    ),
  ),
  lower("to_all_p50", "time to all p50", "ms", (r) => r.timeToAllMs.distribution?.p50 ?? null),
  lower("to_all_max", "time to all max", "ms", (r) => r.timeToAllMs.distribution?.max ?? null),
  higher("delivery_ratio", "delivery ratio", "", (r) => r.delivery.ratio),
  higher("delivery_low", "delivery ratio, lower bound", "", (r) => r.delivery.bounds?.low ?? null),
  higher("delivery_high", "delivery ratio, upper bound", "", (r) => r.delivery.bounds?.high ?? null),
  neither("deliveries_per_second", "deliveries a second", "1/s", (r) => r.deliveriesPerSecond),
  lower("duplicates", "duplicates per delivery", "", (r) => r.duplicates.perDelivery),
  lower("rpc_bytes", "RPC bytes over payload", "×", (r) => r.bytes.rpcPerPayload),
  lower("socket_bytes", "socket bytes over payload", "×", (r) => r.bytes.socketPerPayload),
  ...(["ihave", "iwant", "graft", "prune", "idontwant"] as const).map((kind) =>
    neither(`control_${kind}`, `${kind.toUpperCase()} messages`, "", (r) => r.control[kind].count),
  ),
  neither("control_bytes", "control bytes", "B", (r) =>
    Object.values(r.control).reduce((all, { bytes }) => all + bytes, 0),
  ),
  lower("last_hop_p50", "hops of the last delivery p50", "", (r) => r.hops.last?.p50 ?? null),
  lower("last_hop_max", "hops of the last delivery max", "", (r) => r.hops.last?.max ?? null),
  neither("mesh_min", "mesh degree min", "", (r) => r.mesh?.min ?? null),
  neither("mesh_median", "mesh degree median", "", (r) => r.mesh?.median ?? null),
  neither("mesh_max", "mesh degree max", "", (r) => r.mesh?.max ?? null),
  neither("score_min", "peer score min", "", (r) => r.scores?.min ?? null),
  neither("score_p50", "peer score p50", "", (r) => r.scores?.p50 ?? null),
  lower("validation_p50", "validation p50", "ms", (r) => r.validationMs?.p50 ?? null),
  lower("validation_p99", "validation p99", "ms", (r) => r.validationMs?.p99 ?? null),
  lower("loop_p99", "event loop p99, worst process", "ms", (r) => worst(r.processes.map((p) => p.loopP99Ms))),
  lower("cpu_per_node", "CPU a node", "cores", (r) => worst(r.processes.map((p) => p.cpuPerNode))),
  lower("cpu_per_delivery", "CPU a delivery", "ms", (r) => r.cpuMsPerDelivery),
  lower("rss_per_node", "RSS a node", "MB", (r) => worst(r.processes.map((p) => p.rssBytesPerNode / 1e6))),
  neither("publish_late_p99", "published late p99", "ms", (r) => r.publishLateMs?.p99 ?? null),
  neither("links_late_p99", "links late p99", "ms", (r) => r.links?.lateP99Ms ?? null),
  neither("clock_error", "clock uncertainty", "ms", (r) => r.clockErrorMs),
];

function worst(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}

/** At most four digits of precision, as many as a run can tell. */
export function formatValue(value: number | null, unit: string): string {
  if (value === null) return "–";
  const text = Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString();
  return unit === "" || unit === "×" ? `${text}${unit}` : `${text} ${unit}`;
}
