import type { Clock } from "../../base/clock.ts";

/** Time as a trace tells it: from its epoch, which is when this was made. */
export class TraceClock {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** Unix time of the epoch. */
  readonly epochMs: number;
  /** What this process's monotonic clock showed then. */
  readonly epochMonotonicMs: number;

  constructor(clock: Pick<Clock, "monotonicMs" | "nowMs">) {
    this.#clock = clock;
    this.epochMonotonicMs = clock.monotonicMs();
    this.epochMs = clock.nowMs();
  }

  nowMs(): number {
    return this.#clock.monotonicMs() - this.epochMonotonicMs;
  }

  /** Whole microseconds, as events have them. */
  nowUs(): number {
    return Math.round(this.nowMs() * 1000);
  }
}
