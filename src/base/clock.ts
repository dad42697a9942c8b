/** The only file that reads the time or starts a timer: everything else is handed a `Clock`. */

/** Cancels the timer that returned it. Calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Unix time in milliseconds. */
  nowMs(): number;
  /** Milliseconds since an arbitrary origin that never jump; for durations. */
  monotonicMs(): number;
  /** Runs `task` once, `delayMs` from now. */
  after(delayMs: number, task: () => void): CancelTimer;
  /** Runs `task` every `intervalMs`, first after one interval. */
  every(intervalMs: number, task: () => void): CancelTimer;
}

/** The longest delay that `setTimeout` takes without wrapping to 1 ms. */
const MAX_TIMER_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), MAX_TIMER_DELAY_MS));
    return () => clearTimeout(timer);
  },
  every(intervalMs, task) {
    const timer = setInterval(task, Math.min(Math.max(intervalMs, 1), MAX_TIMER_DELAY_MS));
    return () => clearInterval(timer);
  },
};

/** Looks at something of the process every `intervalMs` for as long as it lives, and does not keep it alive. */
export function watchEvery(intervalMs: number, look: () => void): CancelTimer {
  const timer = setInterval(look, intervalMs).unref();
  return () => clearInterval(timer);
}

/** Resolves after `delayMs`, or at once when `signal` aborts: the caller looks at the signal, nothing is thrown. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
