/**
 * Gossipsub score parameters by Ethereum's scheme: a peer's score comes from time in the mesh (P1), first deliveries
 * (P2) and invalid messages (P4), on a scale set by the message rate. P3 (too few deliveries) is off: on topics this
 * quiet it cannot tell a censor from a peer that merely heard of each message second, and honest peers would pay.
 */
import type { PeerScoreParams, PeerScoreThresholds, TopicScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import type { TopicName } from "./network.ts";
import { TOPIC_NAMES, topicProfile } from "./topics.ts";

/** The most that a topic of weight 1 gives for time in the mesh, and for first deliveries. */
const MAX_IN_MESH_SCORE = 10;
const MAX_FIRST_DELIVERIES_SCORE = 40;
/** A counter below this share of its start is forgotten. */
const DECAY_TO_ZERO = 0.01;
const MESH_DEGREE = 8;
const BEHAVIOUR_PENALTY_THRESHOLD = 6;
const TIME_IN_MESH_CAP_MS = 3_600_000;

const MAX_POSITIVE_SCORE =
  (MAX_IN_MESH_SCORE + MAX_FIRST_DELIVERIES_SCORE) *
  TOPIC_NAMES.reduce((sum, name) => sum + topicProfile(name).weight, 0);

/** With these and P4 below: no gossip after 7 rejected messages, no publishing after 9, graylisted after 13. */
export const SCORE_THRESHOLDS: PeerScoreThresholds = {
  gossipThreshold: -40 * MAX_POSITIVE_SCORE,
  publishThreshold: -80 * MAX_POSITIVE_SCORE,
  graylistThreshold: -160 * MAX_POSITIVE_SCORE,
  // No peer exchange is accepted: a score that nobody reaches.
  acceptPXThreshold: 10 * MAX_POSITIVE_SCORE,
  opportunisticGraftThreshold: 5,
};

export interface ScoreTiming {
  readonly slotMs: number;
  readonly slotsPerEpoch: number;
}

/** Decay a decay interval (a slot, at least gossipsub's 1 s) for a counter to be forgotten after `durationMs`. */
function decayPerInterval(durationMs: number, timing: ScoreTiming): number {
  return DECAY_TO_ZERO ** (decayIntervalMs(timing) / durationMs);
}

function decayIntervalMs(timing: ScoreTiming): number {
  return Math.max(timing.slotMs, 1000);
}

/** What scores take from the guard. */
export interface ScoreSources {
  /** From 0, for most, to -1, for a peer that is about to be hung up. */
  applicationScore(peerId: string): number;
  /** Addresses that many peers share: loopback, and declared test networks. */
  isSharedAddress(ip: string): boolean;
}

/** Gossipsub asks it by `has` alone. */
class SharedAddresses extends Set<string> {
  readonly #isShared: (ip: string) => boolean;

  constructor(isShared: (ip: string) => boolean) {
    super();
    this.#isShared = isShared;
  }

  override has(ip: string): boolean {
    return this.#isShared(ip);
  }
}

export function peerScoreParams(timing: ScoreTiming, sources: ScoreSources): Partial<PeerScoreParams> {
  const epochMs = timing.slotMs * timing.slotsPerEpoch;
  const behaviourPenaltyDecay = decayPerInterval(10 * epochMs, timing);
  const settledPenalty = 10 / (epochMs / decayIntervalMs(timing)) / (1 - behaviourPenaltyDecay);
  return {
    decayInterval: decayIntervalMs(timing),
    decayToZero: DECAY_TO_ZERO,
    retainScore: 100 * epochMs,
    topicScoreCap: MAX_POSITIVE_SCORE / 2,
    // P5: no gossip when the allowance of ignored or expired exits is nearly spent; then the guard hangs up.
    appSpecificScore: (peerId) => sources.applicationScore(peerId),
    appSpecificWeight: -SCORE_THRESHOLDS.graylistThreshold,
    // P6, peers on one address: as on Ethereum, but never for loopback and declared test networks: with
    // the library's default 20 nodes there deliver 97.3 % of messages, p99 638–926 ms; without it all, 23 ms.
    IPColocationFactorWeight: -MAX_POSITIVE_SCORE / 2,
    IPColocationFactorThreshold: 10,
    IPColocationFactorWhitelist: new SharedAddresses(sources.isSharedAddress),
    // P7: a few slips cost nothing; ten an epoch, lasting, end in silence.
    behaviourPenaltyThreshold: BEHAVIOUR_PENALTY_THRESHOLD,
    behaviourPenaltyDecay,
    behaviourPenaltyWeight: SCORE_THRESHOLDS.gossipThreshold / (settledPenalty - BEHAVIOUR_PENALTY_THRESHOLD) ** 2,
  };
}

export function topicScoreParams(name: TopicName, timing: ScoreTiming): TopicScoreParams {
  const { weight, messagesPerSlot } = topicProfile(name);
  const epochMs = timing.slotMs * timing.slotsPerEpoch;
  const timeInMeshCap = TIME_IN_MESH_CAP_MS / timing.slotMs;
  const firstMessageDeliveriesDecay = decayPerInterval(20 * epochMs, timing);
  // Where the counter of a peer settles that is first with twice its share of the messages.
  const firstMessageDeliveriesCap = (2 * messagesPerSlot) / MESH_DEGREE / (1 - firstMessageDeliveriesDecay);
  return {
    topicWeight: weight,
    timeInMeshQuantum: timing.slotMs,
    timeInMeshCap,
    timeInMeshWeight: MAX_IN_MESH_SCORE / timeInMeshCap,
    firstMessageDeliveriesDecay,
    firstMessageDeliveriesCap,
    firstMessageDeliveriesWeight: MAX_FIRST_DELIVERIES_SCORE / firstMessageDeliveriesCap,
    meshMessageDeliveriesWeight: 0,
    meshMessageDeliveriesDecay: 0.5,
    meshMessageDeliveriesCap: 1,
    meshMessageDeliveriesThreshold: 1,
    meshMessageDeliveriesWindow: 0,
    meshMessageDeliveriesActivation: epochMs,
    meshFailurePenaltyWeight: 0,
    meshFailurePenaltyDecay: 0.5,
    invalidMessageDeliveriesWeight: -MAX_POSITIVE_SCORE / weight,
    invalidMessageDeliveriesDecay: decayPerInterval(50 * epochMs, timing),
  };
}
