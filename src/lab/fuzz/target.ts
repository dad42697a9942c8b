/** What is attacked: a process that we start for it, or a node of somebody's that we only know by its address. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { ProbeAnswer, ProbeRequest } from "./target_probe.ts";

export interface Target {
  /** Multiaddr with peer id. */
  readonly address: string;
  readonly metricsUrl: string | null;
  /** A process that we have started. */
  readonly isOwn: boolean;
  /** False when a process that we started has ended by itself. */
  isRunning(): boolean;
  /** So that what the heap holds afterwards is in use; does nothing to a target that we have not started. */
  collectGarbage(): Promise<void>;
  /** The longest that it stood still since the last time that this was asked, in CPU time; null where it is not ours. */
  longestStallMs(): Promise<number | null>;
  stop(): Promise<void>;
}

/** The one argument of a target's program, as JSON. */
export interface TargetOptions {
  readonly networkDir: string;
  readonly stateFile: string;
  readonly topic: string;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 7_000;
/** Of an answer from the probe in a target, which may have much to do. */
const PROBE_TIMEOUT_MS = 5_000;
/** Of what a target wrote to stderr, kept to tell why it died. */
const MAX_STDERR_CHARS = 4_000;

const fileBeside = (name: string) => fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));

/** Programs beside this file: the node on fixed views, and stock gossipsub without any of our cures and checks. */
export type OwnTarget = "node" | "canary";
const PROGRAMS: Readonly<Record<OwnTarget, string>> = { node: "node_target", canary: "canary_target" };

/** Throws a `CodedError` `TARGET_FAILED`. */
export async function startTarget(kind: OwnTarget, options: TargetOptions, clock: Clock): Promise<Target> {
  const program = fileBeside(PROGRAMS[kind]);
  const child = spawn(process.execPath, ["--import", fileBeside("target_probe"), program, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "pipe", "ipc"],
    // The child ends when its stdin closes, so that it never outlives us.
    env: { ...process.env, MSGBUS_LEASH: "stdin" },
    detached: true,
    // All three are pipes: the types know that of a list of three alone.
  }) as ChildProcessWithoutNullStreams;
  child.stdin.on("error", () => {});
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-MAX_STDERR_CHARS);
  });
  const exited = once(child, "exit").catch(() => {});
  const started = new AbortController();
  const ready = new Promise<ReadyEvent>((resolve, reject) => {
    const fail = (reason: string) =>
      reject(new CodedError("TARGET_FAILED", `The target did not start: ${reason}\n${stderr}`.trim()));
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(signal ?? `exit code ${code}`));
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line) as ReadyEvent));
    sleep(clock, START_TIMEOUT_MS, started.signal).then(() => fail(`not ready within ${START_TIMEOUT_MS / 1000} s`));
  });
  try {
    const { multiaddrs, apiUrl } = await ready;
    return {
      address: multiaddrs[0] as string,
      metricsUrl: apiUrl === null ? null : `${apiUrl}/metrics`,
      isOwn: true,
      isRunning: () => child.exitCode === null && child.signalCode === null,
      async collectGarbage() {
        await askProbe(child, "garbage");
      },
      longestStallMs: () => askProbe(child, "stall"),
      stop: () => stopChild(child, exited, clock),
    };
  } catch (error) {
    await stopChild(child, exited, clock);
    throw error;
  } finally {
    started.abort();
  }
}

/** A target that is running already, and is left running. */
export function existingTarget(address: string, metricsUrl: string | null): Target {
  return {
    address,
    metricsUrl,
    isOwn: false,
    isRunning: () => true,
    collectGarbage: async () => {},
    longestStallMs: async () => null,
    stop: async () => {},
  };
}

/** The one line that a target's program prints on stdout. */
export interface ReadyEvent {
  readonly multiaddrs: readonly string[];
  readonly apiUrl: string | null;
}

/** Null where the target has ended, or gives no answer in time. */
async function askProbe(child: ChildProcess, request: ProbeRequest): Promise<number | null> {
  if (!child.connected) return null;
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  child.send(request, () => {});
  try {
    for (;;) {
      const [answer] = (await once(child, "message", { signal })) as [ProbeAnswer];
      if (answer.request === request) return answer.stallMs;
    }
  } catch {
    return null;
  }
}

async function stopChild(child: ChildProcess, exited: Promise<unknown>, clock: Clock): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const cancelKill = clock.after(STOP_TIMEOUT_MS, () => child.kill("SIGKILL"));
  child.kill("SIGTERM");
  await exited;
  cancelKill();
}
