/** What a sound target owes under attack; the figures are the project's goals. */
import type { Attack } from "./attack.ts";
import type { AttackFindings } from "./findings.ts";

export const CRITERIA = {
  DEAD: "the target's process ended, or takes no honest peer any more",
  INVALID_FORWARDED: "the target forwarded a message that is not valid",
  HONEST_PEER_DROPPED: "the target hung up on an honest peer",
  HONEST_LOST: "honest messages were not delivered",
  HONEST_SLOWED: "honest messages took too long during the attack",
  NOT_HUNG_UP: "an attacker was not hung up in time",
  REDIAL_TAKEN: "an attacker that was hung up came straight back",
  TOO_MANY_VERDICTS: "the validator was called too often",
  EVENT_LOOP: "the target's event loop stood still for too long",
  HEAP: "the target's heap grew",
  ATTACK_FAULT: "the attack reached what it was after",
} as const;
export type Criterion = keyof typeof CRITERIA;

export interface AttackReport extends AttackFindings {
  readonly failed: readonly Criterion[];
}

/** Criteria that say what happened and not how fast: they hold on a busy machine too. */
export const UNTIMED: ReadonlySet<Criterion> = new Set([
  "DEAD",
  "INVALID_FORWARDED",
  "HONEST_PEER_DROPPED",
  "HONEST_LOST",
  "ATTACK_FAULT",
]);

/** One heartbeat of gossipsub, and 0.3 s for the hang-up to cross the network and a busy machine. */
const HANG_UP_LIMIT_MS = 700 + 300;
/** Of one attacker. */
const VERDICTS_LIMIT = 100;
const LATENCY_FACTOR = 2;
/** Quantiles of some tens of messages jump: below this nobody is harmed. */
const LATENCY_FLOOR_MS = 100;
/** The goal's 100 ms, and the time between two looks that is part of the figure: 10 ms of prom-client's, 5 of our probe's. */
const EVENT_LOOP_LIMIT_MS = 100 + 10;
const HEAP_LIMIT_BYTES = 16 * 1024 * 1024;
/** What many identities get judged together fills the caches of known messages, which are bounded by number. */
const MANY_VERDICTS = 10_000;
const FULL_CACHES_BYTES = 64 * 1024 * 1024;

export function judge(attack: Pick<Attack, "hangsUp">, findings: AttackFindings): Criterion[] {
  const { honest, target, sent } = findings;
  const { before, during, after } = honest.phases;
  const allowedMs = Math.max(LATENCY_FACTOR * (before.p99Ms ?? 0), LATENCY_FLOOR_MS);
  const heapLimitBytes = (findings.validatorCalls ?? 0) > MANY_VERDICTS ? FULL_CACHES_BYTES : HEAP_LIMIT_BYTES;
  const stayedTooLong = findings.firstHungUpMs === null || (findings.longestStayMs ?? 0) > HANG_UP_LIMIT_MS;
  const failures: Partial<Record<Criterion, boolean>> = {
    DEAD: !target.alive,
    INVALID_FORWARDED: Object.keys(honest.invalid).length > 0,
    HONEST_PEER_DROPPED: honest.droppedHonestPeer,
    HONEST_LOST:
      [before, during, after].some(({ published, delivered }) => delivered < published) ||
      (findings.neighbours !== null && findings.neighbours.delivered < 1),
    HONEST_SLOWED: (during.p99Ms ?? 0) > allowedMs,
    NOT_HUNG_UP: attack.hangsUp && sent.rpcs > 0 && stayedTooLong,
    REDIAL_TAKEN: attack.hangsUp && findings.redialRefused === false,
    TOO_MANY_VERDICTS: attack.hangsUp && (findings.validatorCalls ?? 0) > VERDICTS_LIMIT * sent.identities,
    EVENT_LOOP: (target.longestStallMs ?? target.eventLoopMaxMs ?? 0) > EVENT_LOOP_LIMIT_MS,
    HEAP: target.heapIsLive && (target.heapGrowthBytes ?? 0) > heapLimitBytes,
    ATTACK_FAULT: findings.faults.length > 0,
  };
  return (Object.keys(CRITERIA) as Criterion[]).filter((criterion) => failures[criterion] === true);
}
