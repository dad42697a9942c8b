/** The honest nodes around a target of ours: with it they are a network, in which a message takes more than one step. */
import type { Clock } from "../../base/clock.ts";
import { startProgram } from "./program.ts";

export interface Neighbours {
  /** Multiaddrs with peer ids. */
  readonly addresses: readonly string[];
  /** By node, the public keys (0x) whose exits it has accepted; null where the nodes do not answer. */
  accepted(): Promise<readonly (readonly string[])[] | null>;
  stop(): Promise<void>;
}

export interface NeighbourOptions {
  readonly count: number;
  readonly targetAddress: string;
  readonly networkDir: string;
  readonly stateFile: string;
}

/** Throws a `CodedError` `TARGET_FAILED`. */
export async function startNeighbours(options: NeighbourOptions, clock: Clock): Promise<Neighbours> {
  const { ready, ask, stop } = await startProgram<string[]>("neighbour_nodes", options, [], clock);
  return { addresses: ready, accepted: () => ask("accepted"), stop };
}
