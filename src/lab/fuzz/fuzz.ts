/** A whole run: the targets, the attacks one after another, and what came of it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { writeNetworkDir } from "../../state/network_dir.ts";
import type { Attack } from "./attack.ts";
import { ATTACK_SHARE } from "./attackers.ts";
import type { AttackReport } from "./criteria.ts";
import { type Fixture, fixtureOf, makeOwnNetwork } from "./fixture.ts";
import { startNeighbours } from "./neighbours.ts";
import { type AttackDependencies, type AttackPlan, runAttack } from "./run_attack.ts";
import { existingTarget, type OwnTarget, startTarget, type Target } from "./target.ts";
import { readValidOperations } from "./valid_operations.ts";
import { readViews, type ViewFiles } from "./views.ts";
import { Witness } from "./witness.ts";

export interface FuzzOptions extends AttackPlan {
  readonly attacks: readonly Attack[];
  /** Null: targets of our own. */
  readonly peer: PeerTarget | null;
  readonly ownTarget: OwnTarget;
  /** Whether each attack gets a target that none has had before; only ours can be new. */
  readonly freshTargets: boolean;
}

/** A node that somebody else has started. */
export interface PeerTarget {
  /** Multiaddr with peer id. */
  readonly address: string;
  readonly metricsUrl: string | null;
  readonly networkDir: string;
  /** Of the views that the target is known to stand on; null where they are not known. */
  readonly stateFile: string | null;
  readonly finalizedStateFile: string | null;
  /** A file with an operation, or a directory of such; null where none is known. */
  readonly valid: string | null;
}

const HEAD_FILE = "head.ssz";

export type ReportSink = (report: AttackReport) => void;

/** Runs until the end, or until `signal` aborts: the attack of that time ends early, and is reported. Throws a `CodedError` for what cannot be used. */
export async function runFuzz(
  options: FuzzOptions,
  onReport: ReportSink,
  clock: Clock,
  signal: AbortSignal,
): Promise<AttackReport[]> {
  const stage = options.peer === null ? await ownStage(options, clock) : await peerStage(options.peer);
  const reports: AttackReport[] = [];
  const witness = new Witness(clock);
  let target: Target | null = null;
  try {
    for (const [i, attack] of options.attacks.entries()) {
      if (signal.aborted) break;
      if (target !== null && (options.freshTargets || !target.isRunning())) {
        await target.stop();
        target = null;
      }
      target ??= await stage.start();
      const fixture = { ...stage.fixture, valid: shareOf(stage.fixture.valid, i, options) };
      const { views, startNeighbours } = stage;
      const report = await runAttack(attack, options, {
        target,
        clock,
        fixture,
        witness,
        views,
        startNeighbours,
        signal,
      });
      reports.push(report);
      onReport(report);
    }
    return reports;
  } finally {
    await witness.stop();
    await target?.stop();
    await stage.clear();
  }
}

/** A target judges an operation as valid once: attacks on the same target each have operations of their own. */
function shareOf(valid: readonly Uint8Array[], index: number, { attacks, freshTargets, peer }: FuzzOptions) {
  if (freshTargets && peer === null) return valid;
  const size = Math.floor(valid.length / attacks.length);
  return valid.slice(index * size, (index + 1) * size);
}

interface Stage {
  readonly fixture: Fixture;
  readonly views: ViewFiles;
  readonly startNeighbours: AttackDependencies["startNeighbours"];
  start(): Promise<Target>;
  clear(): Promise<void>;
}

async function ownStage(options: FuzzOptions, clock: Clock): Promise<Stage> {
  const networkDir = await mkdtemp(join(tmpdir(), "msgbus-fuzz-"));
  const attacksPerTarget = options.freshTargets ? 1 : options.attacks.length;
  const seconds = (options.durationMs + 2 * options.quietMs) / 1000;
  const honest = Math.ceil(seconds * options.honestRate * 1.5) + 8;
  const { network, head, finalized, fixture } = makeOwnNetwork(
    (honest + ATTACK_SHARE) * attacksPerTarget,
    Math.floor(clock.nowMs() / 1000),
  );
  await writeNetworkDir(networkDir, { network, genesisState: finalized, bootnodes: [], deployBlock: 0 });
  const stateFile = join(networkDir, HEAD_FILE);
  await writeFile(stateFile, head.serialize());
  return {
    fixture,
    views: { networkDir, stateFile, finalizedStateFile: null, areExact: true },
    startNeighbours:
      options.ownTarget === "canary"
        ? null
        : (count, { address }) => startNeighbours({ count, targetAddress: address, networkDir, stateFile }, clock),
    start: () => startTarget(options.ownTarget, { networkDir, stateFile, topic: fixture.topic }, clock),
    clear: () => rm(networkDir, { recursive: true, force: true }),
  };
}

async function peerStage(peer: PeerTarget): Promise<Stage> {
  const { address, metricsUrl, networkDir, stateFile, finalizedStateFile } = peer;
  const views: ViewFiles = { networkDir, stateFile, finalizedStateFile, areExact: stateFile !== null };
  const { head } = await readViews(views);
  const valid = peer.valid === null ? [] : await readValidOperations(peer.valid);
  return {
    fixture: fixtureOf(head, valid),
    views,
    startNeighbours: null,
    start: async () => existingTarget(address, metricsUrl),
    clear: async () => {},
  };
}

/** Throws a `CodedError` `REMOTE_TARGET` where the address is not on this machine. */
export function assertLocal(host: string): void {
  if (host === "::1" || host.startsWith("127.")) return;
  throw new CodedError(
    "REMOTE_TARGET",
    `${host} is another machine: attack only nodes of your own, and say so with --allow-remote`,
    { host },
  );
}
