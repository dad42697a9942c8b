/** Waiting for what other processes do, never without an end. */
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";

const POLL_MS = 100;

/**
 * @param what completes "waited for".
 * @throws CodedError `DEVNET_TIMEOUT`; `INTERRUPTED` when the signal aborts.
 */
export async function waitUntil(
  condition: () => boolean,
  timeoutMs: number,
  what: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  while (!condition()) {
    if (signal.aborted) throw new CodedError("INTERRUPTED", "The devnet was asked to leave");
    if (clock.monotonicMs() >= deadlineMs) {
      throw new CodedError(
        "DEVNET_TIMEOUT",
        `Waited ${Math.round(timeoutMs / 1000)} s for ${what} in vain: the nodes' logs are in the devnet's directory (keep it with --dir)`,
        { what, timeoutMs },
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
}
