/** A clock that stands still until a test moves it; timers run in order of their time. */
import type { CancelTimer, Clock } from "../../src/base/clock.ts";

interface Timer {
  atMs: number;
  readonly order: number;
  readonly intervalMs: number | null;
  readonly task: () => void;
}

export class ManualClock implements Clock {
  private timeMs: number;
  private readonly timers = new Set<Timer>();
  private timersMade = 0;

  constructor(startMs = 0) {
    this.timeMs = startMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  after(delayMs: number, task: () => void): CancelTimer {
    return this.add(delayMs, null, task);
  }

  every(intervalMs: number, task: () => void): CancelTimer {
    return this.add(intervalMs, intervalMs, task);
  }

  /** Moves to `unixMs`, running what falls due on the way. */
  advanceTo(unixMs: number): void {
    for (let next = this.nextTimer(unixMs); next !== null; next = this.nextTimer(unixMs)) {
      this.timeMs = Math.max(this.timeMs, next.atMs);
      if (next.intervalMs === null) this.timers.delete(next);
      else next.atMs += next.intervalMs;
      next.task();
    }
    this.timeMs = Math.max(this.timeMs, unixMs);
  }

  advance(byMs: number): void {
    this.advanceTo(this.timeMs + byMs);
  }

  /** Sets the wall clock as an NTP step does: timers keep their remaining delay. */
  jumpTo(unixMs: number): void {
    for (const timer of this.timers) timer.atMs += unixMs - this.timeMs;
    this.timeMs = unixMs;
  }

  get pendingTimers(): number {
    return this.timers.size;
  }

  private add(delayMs: number, intervalMs: number | null, task: () => void): CancelTimer {
    const timer: Timer = { atMs: this.timeMs + Math.max(delayMs, 0), order: this.timersMade++, intervalMs, task };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  private nextTimer(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.timers) {
      if (timer.atMs > untilMs) continue;
      if (next === null || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
        next = timer;
    }
    return next;
  }
}
