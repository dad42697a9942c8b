/** How a long-running command is asked to leave. */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { type Clock, watchEvery } from "../base/clock.ts";

/**
 * One Ctrl-C may arrive twice: from the terminal, and forwarded by the launcher. Only a signal later than this after
 * the first one means that the user has lost patience.
 */
const REPEATED_SIGNAL_MS = 1_000;

/**
 * Set by a process that starts this one, which is to end with it however it dies: `stdin` where it holds the other end of
 * stdin, which closes then; `parent` where stdin is the user's, and only this process's parent changes.
 */
const LEASH_VARIABLE = "MSGBUS_LEASH";

/** How often the parent is looked at. */
const PARENT_CHECK_MS = 500;

/** Aborts on the first SIGINT, SIGTERM or SIGHUP; a later one ends the process at once. */
export function createShutdownSignal(clock: Pick<Clock, "monotonicMs">): AbortSignal {
  const controller = new AbortController();
  let askedMs = 0;
  const ask = (signal: NodeJS.Signals) => {
    if (!controller.signal.aborted) {
      askedMs = clock.monotonicMs();
      controller.abort(signal);
    } else if (clock.monotonicMs() - askedMs > REPEATED_SIGNAL_MS) {
      process.exit(130);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, ask);
  if (process.env[LEASH_VARIABLE] === "stdin") {
    process.stdin.on("close", () => ask("SIGTERM"));
    process.stdin.resume();
    // Watching must not keep a process alive that has nothing else to do.
    (process.stdin as Socket).unref();
  }
  if (process.env[LEASH_VARIABLE] === "parent") watchParent(controller.signal, () => ask("SIGTERM"));
  return controller.signal;
}

function watchParent(until: AbortSignal, onGone: () => void): void {
  const parent = process.ppid;
  // npm runs a script in a shell, and some shells stay until it ends, though npm be killed.
  const starter = isScriptShell(parent) ? parentOf(parent) : null;
  const cancel = watchEvery(PARENT_CHECK_MS, () => {
    if (process.ppid !== parent || (starter !== null && parentOf(parent) !== starter)) onGone();
  });
  until.addEventListener("abort", cancel);
}

/** Whether the process is `sh -c …`; false also where there is no /proc, as on macOS, whose shell makes way for the script. */
function isScriptShell(pid: number): boolean {
  const [program = "", option] = readProcess(pid, "cmdline")?.split("\0") ?? [];
  return option === "-c" && /^(?:.*\/)?(?:ba|da|z)?sh$/.test(program);
}

function parentOf(pid: number): number | null {
  const parent = /^PPid:\s+(\d+)$/m.exec(readProcess(pid, "status") ?? "")?.[1];
  return parent === undefined ? null : Number(parent);
}

function readProcess(pid: number, file: "cmdline" | "status"): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
