/** Asks a node's API for what no event tells, while somebody looks. */
import type { NodePanel, PeerOfApi } from "./node_panel.ts";
import { parseMetrics, type Sample } from "./prometheus.ts";
import { every } from "./time.ts";

const POLL_MS = 2_000;
const TIMEOUT_MS = 5_000;

export interface NodePoll {
  /** Does not wait for the next turn. */
  now(): void;
}

export interface NodePollOptions {
  readonly panel: NodePanel;
  /** Where the node's metrics and peers are; null while there is no node to ask. */
  paths(): { readonly metrics: string; readonly peers: string } | null;
  nameOf(peerId: string): string;
  onAnswer?(metrics: readonly Sample[], peers: readonly PeerOfApi[]): void;
}

export function pollNode({ panel, paths, nameOf, onAnswer }: NodePollOptions): NodePoll {
  let asking: AbortController | null = null;

  async function ask(): Promise<void> {
    const wanted = paths();
    if (wanted === null || document.hidden) return;
    const own = new AbortController();
    asking = own;
    const signal = AbortSignal.any([own.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const [metricsText, peersText] = await Promise.all([
        getText(wanted.metrics, signal),
        getText(wanted.peers, signal),
      ]);
      const metrics = parseMetrics(metricsText);
      const peers = (JSON.parse(peersText) as { data: PeerOfApi[] }).data;
      panel.set(metrics, peers, nameOf);
      onAnswer?.(metrics, peers);
    } catch {
      if (!own.signal.aborted) panel.setProblem("The node does not answer: these are its last figures.");
    } finally {
      if (asking === own) asking = null;
    }
  }

  every(POLL_MS, () => {
    if (asking === null) void ask();
  });
  return {
    now() {
      asking?.abort();
      void ask();
    },
  };
}

async function getText(path: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}
