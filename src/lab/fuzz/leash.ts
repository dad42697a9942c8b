/** How a target's process ends: on SIGTERM, or when the process that started it closes its stdin by dying. */
export function asLeashed(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGTERM", () => controller.abort());
  process.stdin.on("close", () => controller.abort()).resume();
  return controller.signal;
}
