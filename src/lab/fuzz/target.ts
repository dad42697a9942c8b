/** What is attacked: a process that we start for it, or a node of somebody's that we only know by its address. */
import type { Clock } from "../../base/clock.ts";
import { startProgram } from "./program.ts";
import type { ProbeRequest } from "./target_probe.ts";

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

/** Programs beside this file: the node on fixed views, and stock gossipsub without any of our cures and checks. */
export type OwnTarget = "node" | "canary";
const PROGRAMS: Readonly<Record<OwnTarget, string>> = { node: "node_target", canary: "canary_target" };

/** The one line that a target's program prints on stdout. */
export interface ReadyEvent {
  readonly multiaddrs: readonly string[];
  readonly apiUrl: string | null;
}

/** Throws a `CodedError` `TARGET_FAILED`. */
export async function startTarget(kind: OwnTarget, options: TargetOptions, clock: Clock): Promise<Target> {
  const { ready, isRunning, ask, stop } = await startProgram<ReadyEvent>(
    PROGRAMS[kind],
    options,
    ["target_probe"],
    clock,
  );
  const askProbe = (request: ProbeRequest) => ask<number>(request);
  return {
    address: ready.multiaddrs[0] as string,
    metricsUrl: ready.apiUrl === null ? null : `${ready.apiUrl}/metrics`,
    isOwn: true,
    isRunning,
    async collectGarbage() {
      await askProbe("garbage");
    },
    longestStallMs: () => askProbe("stall"),
    stop,
  };
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
