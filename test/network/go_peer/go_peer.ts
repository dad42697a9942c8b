/** The Go peer (`main.go`): built, and started as a process. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type PeerProgram, startPeerProgram } from "../peer_program.ts";

/** A first build compiles all of go-libp2p. */
export const BUILD_TIMEOUT_MS = 280_000;
/** What go-libp2p asks for; an older one would have to download a toolchain first. */
export const GO_MINOR_VERSION = 26;

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

export function startGoPeer(program: string, address: string, topic: string): PeerProgram {
  return startPeerProgram(program, ["--connect", address, "--topic", topic]);
}
