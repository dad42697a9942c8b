/** One attack on one target, with honest peers beside it: before, during, after; what it did, and what failed. */
import { type Clock, sleep } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Attack } from "./attack.ts";
import { ATTACK_SHARE, type Attacker, Attackers, KEY_SEED_BYTES } from "./attackers.ts";
import { type AttackReport, judge } from "./criteria.ts";
import type { Fixture } from "./fixture.ts";
import type { Neighbours } from "./neighbours.ts";
import { RawPeer } from "./raw_peer.ts";
import { watchScores } from "./scores.ts";
import { scrape, type TargetMetrics } from "./scrape.ts";
import { pubkeyOf } from "./specimens.ts";
import type { Target } from "./target.ts";
import type { ViewFiles } from "./views.ts";
import type { Witness } from "./witness.ts";
import type { WitnessReport } from "./witness_worker.ts";

export interface AttackPlan {
  readonly seed: number;
  readonly durationMs: number;
  /** Of honest publishing without an attack, and after it. */
  readonly quietMs: number;
  /** RPCs a second. */
  readonly rate: number;
  /** Honest messages a second. */
  readonly honestRate: number;
  /** Says little of a target that was attacked before. */
  readonly measureHeap: boolean;
  /** Of the attacks in a network, the target among them. */
  readonly honestNodes: number;
  /** Hears of an attack that lasts, every PROGRESS_MS. */
  readonly onProgress?: (attack: string, sent: AttackReport["sent"], elapsedMs: number) => void;
}

export interface AttackDependencies {
  readonly target: Target;
  readonly fixture: Fixture;
  readonly views: ViewFiles;
  readonly witness: Witness;
  /** Honest nodes around the target; null where there can be none. */
  readonly startNeighbours: ((count: number, target: Target) => Promise<Neighbours>) | null;
  readonly clock: Clock;
  /** Ends the attack early. */
  readonly signal: AbortSignal;
}

/** A redial that lives this long was not refused. */
const REDIAL_WATCH_MS = 400;
/** An attack that is over at once, its peer hung up, still counts for this long: so do the honest messages of that time. */
const AFTERMATH_MS = 1_000;
const PROBE_TIMEOUT_MS = 5_000;
const PROGRESS_MS = 30_000;

export async function runAttack(
  attack: Attack,
  plan: AttackPlan,
  { target, fixture, views, witness, startNeighbours, clock, signal }: AttackDependencies,
): Promise<AttackReport> {
  const share = Math.min(ATTACK_SHARE, Math.floor(fixture.valid.length / 2));
  const forAttack = fixture.valid.slice(fixture.valid.length - share);
  const forHonest = fixture.valid.slice(0, fixture.valid.length - share);
  const attackers = new Attackers(
    attack,
    { fixture, valid: forAttack, targetAddress: target.address, seed: plan.seed, rate: plan.rate },
    clock,
  );
  const { context, random, tally } = attackers;
  const end = () => attackers.end();
  signal.addEventListener("abort", end);

  let neighbours: Neighbours | null = null;
  try {
    await attack.prepare?.(context);
    if (attack.inNetwork === true && plan.honestNodes > 1) {
      neighbours = (await startNeighbours?.(plan.honestNodes - 1, target)) ?? null;
    }
    await witness.attend({
      targetAddress: target.address,
      publisherAddress: neighbours?.addresses[0] ?? target.address,
      topic: fixture.topic,
      views,
      valid: forHonest,
      attacked: [fixture.bystander.pubkey, ...fixture.valid.map(pubkeyOf)].map((pubkey) => hexOf(pubkey)),
      keySeeds: [random.bytes(KEY_SEED_BYTES), random.bytes(KEY_SEED_BYTES)],
    });
    await attackers.joinAll(attack.identities?.([target.address, ...(neighbours?.addresses ?? [])]) ?? []);
    witness.begin("before", plan.honestRate);
    await sleep(clock, plan.quietMs);
    if (plan.measureHeap) await target.collectGarbage();
    const before = await scrape(target.metricsUrl);
    await target.longestStallMs();

    witness.begin("during", plan.honestRate);
    const startedMs = clock.monotonicMs();
    attackers.begin(plan.durationMs);
    const cancelProgress = clock.every(PROGRESS_MS, () =>
      plan.onProgress?.(attack.name, { ...tally }, clock.monotonicMs() - startedMs),
    );
    const scores = watchScores(target.metricsUrl, clock, context.signal);
    await attack.run(context).catch((error) => context.fault(`the attack threw: ${errorMessage(error)}`));
    cancelProgress();
    attackers.end();
    const endedMs = clock.monotonicMs();
    await sleep(clock, Math.min(plan.durationMs, AFTERMATH_MS) - (clock.monotonicMs() - startedMs));
    const elapsedS = (clock.monotonicMs() - startedMs) / 1000;
    const during = await scrape(target.metricsUrl);
    const longestStallMs = await target.longestStallMs();
    const graylisted = await scores;
    await attackers.stop();

    witness.begin("after", plan.honestRate);
    const [redialRefused] = await Promise.all([tryRedial(attackers.all, target, clock), sleep(clock, plan.quietMs)]);
    const alive = target.isRunning() && (await takesHonestPeers(target, random.bytes(KEY_SEED_BYTES), clock));
    const honest = await witness.finish();
    const published = forHonest.slice(0, honest.published).map((ssz) => hexOf(pubkeyOf(ssz)));
    const accepted = await neighbours?.accepted();
    if (plan.measureHeap) await target.collectGarbage();
    const after = await scrape(target.metricsUrl);

    const flooders = attackers.all.some(({ floods }) => floods)
      ? attackers.all.filter(({ floods }) => floods)
      : attackers.all;
    const [first] = flooders;
    const firstGraylistedMs = first === undefined ? undefined : graylisted.get(first.peerId);
    const stays = flooders.map(({ startedMs: fromMs, hungUpMs, leftMs }) => (hungUpMs ?? leftMs ?? endedMs) - fromMs);
    const withoutVerdict = {
      attack: attack.name,
      seed: plan.seed,
      durationMs: plan.durationMs,
      rate: plan.rate,
      sent: tally,
      validatorCalls: validatorCalls(before, after, honest),
      hungUp: attackers.all.filter(({ hungUpMs }) => hungUpMs !== null).length,
      firstHungUpMs: first === undefined || first.hungUpMs === null ? null : first.hungUpMs - first.startedMs,
      longestStayMs: stays.length === 0 ? null : Math.max(...stays),
      graylistedMs: first === undefined || firstGraylistedMs === undefined ? null : firstGraylistedMs - first.startedMs,
      redialRefused,
      honest,
      neighbours: neighbours === null ? null : deliveryOf(published, accepted ?? []),
      target: {
        alive,
        eventLoopP99Ms: during.eventLoopP99Ms,
        eventLoopMaxMs: during.eventLoopMaxMs,
        longestStallMs,
        cpu: difference(before.cpuSeconds, during.cpuSeconds, elapsedS),
        heapGrowthBytes: plan.measureHeap ? difference(before.heapBytes, after.heapBytes) : null,
        heapIsLive: plan.measureHeap && target.isOwn,
        rssBytes: after.rssBytes,
        disconnects: newDisconnects(before, after),
      },
      notes: attackers.notes,
      skipped: attackers.skipped,
      faults: attackers.faults,
    };
    return { ...withoutVerdict, failed: judge(attack, withoutVerdict) };
  } finally {
    signal.removeEventListener("abort", end);
    await Promise.all([attackers.stop(), neighbours?.stop()]);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function deliveryOf(published: readonly string[], accepted: readonly (readonly string[])[]) {
  const perNode = accepted.map((pubkeys) => {
    const known = new Set(pubkeys);
    return published.filter((pubkey) => known.has(`0x${pubkey}`)).length / Math.max(1, published.length);
  });
  const total = perNode.reduce((sum, share) => sum + share, 0);
  return { nodes: perNode.length, delivered: perNode.length === 0 ? 0 : total / perNode.length };
}

function difference(from: number | null, to: number | null, divisor = 1): number | null {
  return from === null || to === null ? null : (to - from) / divisor;
}

function newDisconnects(before: TargetMetrics, after: TargetMetrics): Record<string, number> {
  const grown = Object.entries(after.disconnects).map(
    ([reason, count]) => [reason, count - (before.disconnects[reason] ?? 0)] as const,
  );
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}

/** Verdicts on what the attackers sent. */
function validatorCalls(before: TargetMetrics, after: TargetMetrics, { phases }: WitnessReport): number | null {
  const all = difference(before.verdicts, after.verdicts);
  return all === null ? null : Math.max(0, all - phases.during.published - phases.after.published);
}

/** Whoever joined last and was hung up comes back under the same identity: of the first, a long attack outlasts the refusal. */
async function tryRedial(attackers: readonly Attacker[], target: Target, clock: Clock): Promise<boolean | null> {
  const banned = attackers.findLast(({ hungUpMs }) => hungUpMs !== null);
  if (banned === undefined || !target.isRunning()) return null;
  const peer = await RawPeer.create({ keySeed: banned.keySeed }, clock);
  try {
    await peer.connect(target.address);
    await sleep(clock, REDIAL_WATCH_MS);
    return !peer.isConnected;
  } catch {
    return true;
  } finally {
    await peer.stop();
  }
}

async function takesHonestPeers(target: Target, keySeed: Uint8Array, clock: Clock): Promise<boolean> {
  const peer = await RawPeer.create({ keySeed }, clock);
  const endMs = clock.monotonicMs() + PROBE_TIMEOUT_MS;
  try {
    for (;;) {
      try {
        await peer.connect(target.address);
        return true;
      } catch {
        if (clock.monotonicMs() > endMs) return false;
        await sleep(clock, 250);
      }
    }
  } finally {
    await peer.stop();
  }
}
