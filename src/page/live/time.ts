/** The browser's clock and timers: the only file of the page that asks for them. */

export type CancelTimer = () => void;

/** Unix time in milliseconds. */
export function nowMs(): number {
  return Date.now();
}

export function after(delayMs: number, task: () => void): CancelTimer {
  const timer = setTimeout(task, delayMs);
  return () => clearTimeout(timer);
}

export function every(intervalMs: number, task: () => void): CancelTimer {
  const timer = setInterval(task, intervalMs);
  return () => clearInterval(timer);
}

/** Calls `draw` before each frame with the milliseconds since the last, until it is cancelled. */
export function eachFrame(draw: (elapsedMs: number) => void): CancelTimer {
  let lastMs: number | null = null;
  let frame = requestAnimationFrame(function next(timeMs) {
    frame = requestAnimationFrame(next);
    const elapsedMs = lastMs === null ? 0 : timeMs - lastMs;
    lastMs = timeMs;
    draw(elapsedMs);
  });
  return () => cancelAnimationFrame(frame);
}
