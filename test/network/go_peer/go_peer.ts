/** The Go peer (`main.go`) as a process: built, started, told what to publish, and listened to. */
import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** A first build compiles all of go-libp2p. */
export const BUILD_TIMEOUT_MS = 280_000;
/** What go-libp2p asks for; an older one would have to download a toolchain first. */
export const GO_MINOR_VERSION = 26;

/** What it prints, a line each. */
export interface GoEvent {
  readonly event: string;
  readonly peer?: string;
  readonly data?: string;
  readonly score?: number;
  readonly protocol?: string;
  readonly message?: string;
}

export interface GoPeer {
  readonly events: GoEvent[];
  has(event: string, fields?: Partial<GoEvent>): boolean;
  publish(data: Uint8Array): void;
  stop(): Promise<unknown>;
}

export function hasGo(): boolean {
  const version = /go1\.(\d+)/.exec(spawnSync("go", ["version"], { encoding: "utf8" }).stdout ?? "")?.[1];
  return Number(version ?? 0) >= GO_MINOR_VERSION;
}

/** Gives the program's path. */
export async function buildGoPeer(dir: string): Promise<string> {
  const program = join(dir, "go_peer");
  await promisify(execFile)("go", ["build", "-o", program, "."], {
    cwd: import.meta.dirname,
    timeout: BUILD_TIMEOUT_MS,
  });
  return program;
}

export function startGoPeer(program: string, address: string, topic: string): GoPeer {
  const child: ChildProcessWithoutNullStreams = spawn(program, ["--connect", address, "--topic", topic]);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const events: GoEvent[] = [];
  createInterface(child.stdout).on("line", (line) => events.push(JSON.parse(line) as GoEvent));
  return {
    events,
    has: (event, fields = {}) =>
      events.some((told) => told.event === event && Object.entries(fields).every(([k, v]) => told[k as "data"] === v)),
    publish: (data) => child.stdin.write(`${Buffer.from(data).toString("hex")}\n`),
    stop() {
      child.kill("SIGKILL");
      return exited;
    },
  };
}
