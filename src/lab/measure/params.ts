/** What makes a run: everything that is needed to run it again. */
import { createHash } from "node:crypto";
import { seededRandom } from "../../base/random.ts";
import type { MeasuredAttack } from "./attacks.ts";
import type { StackName } from "./stacks.ts";
import { isNamedTopology, type Link } from "./topology.ts";

export interface MeasureParams {
  readonly nodes: number;
  /** Messages a second, over all nodes. */
  readonly rate: number;
  /** Messages that count. */
  readonly messages: number;
  /** Messages before them at the same rate, which do not: compilers and meshes warm up. */
  readonly warmupMessages: number;
  /** `random`, `ring`, `star`, or a file's name. */
  readonly topology: string;
  /** Connections a node, where the topology leaves it open. */
  readonly degree: number;
  readonly latency: string;
  readonly bandwidth: string;
  /** Share of segments that are lost. */
  readonly loss: number;
  /** Chance a second that a node leaves, to come back after `CHURN_DOWN_MS`. */
  readonly churn: number;
  /** Each process in a network namespace, with an address of its own. */
  readonly netns: boolean;
  readonly stack: StackName;
  readonly attacks: readonly MeasuredAttack[];
  /** RPCs a second, of each attack. */
  readonly attackRate: number;
  readonly seed: number;
  /** From publishing: what is delivered later does not count as delivered. */
  readonly deadlineMs: number;
}

/** What params.json holds. */
export interface RunParams {
  /** Runs it again. */
  readonly command: string;
  readonly configHash: string;
  readonly params: MeasureParams;
  readonly links: readonly Link[];
  readonly versions: Readonly<Record<string, string>>;
}

/** What decides over the events of a run, as 16 hex digits: runs with the same hash may be repeated measurements. */
export function configHash(params: MeasureParams, links: readonly (readonly [number, number])[]): string {
  const { seed: _, ...config } = params;
  // Links of a random topology follow from the seed; of a file, they and not its name decide.
  const isFile = !isNamedTopology(params.topology);
  const decisive = isFile ? { ...config, topology: "file" } : config;
  const sorted = Object.fromEntries(Object.entries(decisive).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash("sha256")
    .update(JSON.stringify([sorted, isFile ? links : null]))
    .digest("hex")
    .slice(0, 16);
}

/** A sequence of its own for each purpose, so that drawing more for one changes no other. */
export function randomFor(seed: number, purpose: string) {
  return seededRandom(createHash("sha256").update(`${seed}/${purpose}`).digest().readBigUInt64BE());
}
