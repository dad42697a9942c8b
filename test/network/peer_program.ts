/** A peer of another implementation as a process: started, told what to do a line at a time, and listened to. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { sleep, systemClock } from "../../src/base/clock.ts";

const DEADLINE_MS = 60_000;
const LOOK_INTERVAL_MS = 50;

/** What it prints, a line each. */
export interface PeerEvent {
  readonly event: string;
  readonly peer?: string;
  readonly data?: string;
  readonly score?: number;
  readonly protocol?: string;
  readonly message?: string;
}

export interface PeerProgram {
  readonly events: PeerEvent[];
  has(event: string, fields?: Partial<PeerEvent>): boolean;
  tell(line: string): void;
  publish(data: Uint8Array): void;
  stop(): Promise<unknown>;
}

export function startPeerProgram(program: string, args: readonly string[]): PeerProgram {
  const child: ChildProcessWithoutNullStreams = spawn(program, args);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const events: PeerEvent[] = [];
  createInterface(child.stdout).on("line", (line) => events.push(JSON.parse(line) as PeerEvent));
  const tell = (line: string) => void child.stdin.write(`${line}\n`);
  return {
    events,
    has: (event, fields = {}) =>
      events.some((told) => told.event === event && Object.entries(fields).every(([k, v]) => told[k as "data"] === v)),
    tell,
    publish: (data) => tell(Buffer.from(data).toString("hex")),
    stop() {
      child.kill("SIGKILL");
      return exited;
    },
  };
}

/** Resolves to whether it came true in time: a run of minutes goes on, and tells of it at its end. */
export async function cameTrue(condition: () => boolean): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + DEADLINE_MS;
  while (!condition() && systemClock.monotonicMs() < endMs) await sleep(systemClock, LOOK_INTERVAL_MS);
  return condition();
}
