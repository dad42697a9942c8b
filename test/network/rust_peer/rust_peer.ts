/** The Rust peer (`src/main.rs`): built, and started as a process. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type PeerProgram, startPeerProgram } from "../peer_program.ts";

/** A first build compiles all of rust-libp2p: ten minutes on two cores. */
const BUILD_TIMEOUT_MS = 1_800_000;

/** What it offers: yamux before mplex as Lighthouse does, mplex alone, or the former in rust-libp2p's lazy negotiation. */
export type RustOffer = "yamux" | "mplex" | "lazy";

/** Gives the program's path. The build's files stay in `dir` for the next time. */
export async function buildRustPeer(dir: string): Promise<string> {
  await promisify(execFile)("cargo", ["build", "--release", "--locked", "--target-dir", dir], {
    cwd: import.meta.dirname,
    timeout: BUILD_TIMEOUT_MS,
  });
  return join(dir, "release", "rust_peer");
}

/** @param otherTopics that it subscribes to beside the topic. */
export function startRustPeer(
  program: string,
  address: string,
  topic: string,
  { offer = "yamux", otherTopics = 0 }: { readonly offer?: RustOffer; readonly otherTopics?: number } = {},
): PeerProgram {
  return startPeerProgram(program, [address, topic, offer, String(otherTopics)]);
}
