/** When a target graylists its attackers, as its API tells: the Beacon API's list of peers, with our scores in it. */
import { type Clock, sleep } from "../../base/clock.ts";
import { SCORE_THRESHOLDS } from "../../network/scoring.ts";

/** Between two looks: a list of 60 peers costs the target a millisecond. */
const LOOK_INTERVAL_MS = 50;
const LOOK_TIMEOUT_MS = 2_000;

interface ScoredPeer {
  readonly peer_id: string;
  readonly score: number;
}

/**
 * Looks until `signal` aborts, or the target does not tell. By peer id, when (`clock.monotonicMs`) a look first found its score
 * below the threshold.
 */
export async function watchScores(
  metricsUrl: string | null,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const graylisted = new Map<string, number>();
  while (metricsUrl !== null && !signal.aborted) {
    const peers = await readPeers(new URL("/eth/v1/node/peers", metricsUrl));
    if (peers === null) break;
    for (const { peer_id, score } of peers) {
      if (score < SCORE_THRESHOLDS.graylistThreshold && !graylisted.has(peer_id)) {
        graylisted.set(peer_id, clock.monotonicMs());
      }
    }
    await sleep(clock, LOOK_INTERVAL_MS, signal);
  }
  return graylisted;
}

async function readPeers(url: URL): Promise<readonly ScoredPeer[] | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) });
    if (!response.ok) return null;
    const { data } = (await response.json()) as { data: readonly ScoredPeer[] };
    return data.every(({ score }) => typeof score === "number") ? data : null;
  } catch {
    return null;
  }
}
