/** What a target's `/metrics` tells of its health: prom-client's default metrics, and our verdict counter. */
import { BOUNDARY_CODES } from "../../network/boundary.ts";

const SCRAPE_TIMEOUT_MS = 5_000;

/** Null where the target does not say. Cumulative but for the event loop's, which prom-client starts anew with each scrape. */
export interface TargetMetrics {
  readonly verdicts: number | null;
  readonly cpuSeconds: number | null;
  readonly eventLoopP99Ms: number | null;
  readonly eventLoopMaxMs: number | null;
  /** V8's heap and the buffers beside it. */
  readonly heapBytes: number | null;
  readonly rssBytes: number | null;
  /** Peers that it hung up, by reason. */
  readonly disconnects: Readonly<Record<string, number>>;
}

export const NO_METRICS: TargetMetrics = {
  verdicts: null,
  cpuSeconds: null,
  eventLoopP99Ms: null,
  eventLoopMaxMs: null,
  heapBytes: null,
  rssBytes: null,
  disconnects: {},
};

const VERDICTS = "msgbus_gossip_verdicts_total";
const DISCONNECTS = "msgbus_peer_disconnects_total";

/** Whether a validator saw the exits that the verdict counts: some are dropped at the boundary before. */
function isJudgedExit(labels: string): boolean {
  return labels.includes('topic="triggered_exit"') && !BOUNDARY_CODES.some((code) => labels.includes(`code="${code}"`));
}

/** A target that does not answer has no metrics. */
export async function scrape(url: string | null): Promise<TargetMetrics> {
  if (url === null) return NO_METRICS;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
    return response.ok ? parseMetrics(await response.text()) : NO_METRICS;
  } catch {
    return NO_METRICS;
  }
}

/** @param text Prometheus' exposition format. */
export function parseMetrics(text: string): TargetMetrics {
  const sums = new Map<string, number>();
  const disconnects: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", value = ""] = /^([a-zA-Z_:][\w:]*)(\{[^}]*\})? (\S+)/.exec(line) ?? [];
    const number = Number(value);
    if (name === "" || !Number.isFinite(number)) continue;
    if (name === VERDICTS && !isJudgedExit(labels)) continue;
    if (name === DISCONNECTS) disconnects[/reason="([^"]*)"/.exec(labels)?.[1] ?? "unknown"] = number;
    sums.set(name, (sums.get(name) ?? 0) + number);
  }
  const get = (name: string) => sums.get(name) ?? null;
  const milliseconds = (name: string) => {
    const seconds = get(name);
    return seconds === null ? null : seconds * 1000;
  };
  const heap = get("nodejs_heap_size_used_bytes");
  const knowsVerdicts = text.includes(VERDICTS);
  return {
    verdicts: get(VERDICTS) ?? (knowsVerdicts ? 0 : null),
    cpuSeconds: get("process_cpu_seconds_total"),
    eventLoopP99Ms: milliseconds("nodejs_eventloop_lag_p99_seconds"),
    eventLoopMaxMs: milliseconds("nodejs_eventloop_lag_max_seconds"),
    heapBytes: heap === null ? null : heap + (get("nodejs_external_memory_bytes") ?? 0),
    rssBytes: get("process_resident_memory_bytes"),
    disconnects,
  };
}
