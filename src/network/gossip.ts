/**
 * Gossipsub as Ethereum's consensus layer configures it, behind the boundary that holds every message until its verdict.
 * @spec phase0/p2p-interface.md#the-gossip-domain-gossipsub
 */
import {
  type GossipSub,
  type GossipSubComponents,
  type GossipsubMessage,
  type GossipsubOpts,
  gossipsub,
  StrictNoSign,
  TopicValidatorResult,
} from "@chainsafe/libp2p-gossipsub";
import type { Libp2p, PeerId } from "@libp2p/interface";
import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { fullAdverts } from "./adverts.ts";
import { type Boundary, type BoundaryTopic, createBoundary, type IncomingMessage } from "./boundary.ts";
import type { Counters } from "./counters.ts";
import type { Cure, CureContext } from "./cures/cure.ts";
import { compressBlock } from "./encoding.ts";
import { type GossipsubInternals, gossipsubInternals } from "./gossipsub_internals.ts";
import { attachGuard } from "./guard/attach.ts";
import type { Guard } from "./guard/guard.ts";
import { computeMessageId, computeRawKey, messageIdToString } from "./message_id.ts";
import type { GossipTopic, GossipVerdict, PublishOptions, PublishOutcome, TopicName } from "./network.ts";
import { peerScoreParams, SCORE_THRESHOLDS, type ScoreTiming, topicScoreParams } from "./scoring.ts";
import { formatTopic, MAX_RPC_SIZE_BYTES, parseTopic, TOPIC_NAMES, topicProfile } from "./topics.ts";

/** @spec phase0/p2p-interface.md#the-gossip-domain-gossipsub */
export const HEARTBEAT_INTERVAL_MS = 700;
const MCACHE_LENGTH = 6;
const MCACHE_GOSSIP = 3;

/** A message is forgotten at the sixth heartbeat after it came, which may be little more than five away. */
export const VERDICT_DEADLINE_MS = (MCACHE_LENGTH - 1) * HEARTBEAT_INTERVAL_MS;

/** Bytes that may wait for a slow peer; beyond it the stream is reset, and the peer hung up (`cures/outbound_watchdog.ts`). */
const MAX_OUTBOUND_BUFFER_BYTES = 16 * 1024 * 1024;
/** What the library can send: its frames end at 4 MiB, below the 10 MiB that a payload may have and that we take in. */
const MAX_PUBLISH_BYTES = 4 * 1024 * 1024 - 1024;
/** Below it, telling the mesh "do not send me this" costs more than the copies that it saves. */
const IDONTWANT_MIN_SIZE_BYTES = 16 * 1024;
/** A peer that was asked for a message and does not answer within it has broken a promise (P7). */
const IWANT_FOLLOWUP_MS = 12_000;

/**
 * Items of one kind in an RPC; an RPC with more is dropped whole. Honest peers stay far below: they announce each topic
 * of two fork digests, and gossipsub advertises at most 5000 ids at once.
 */
const DECODE_LIMITS = {
  maxSubscriptions: 512,
  maxMessages: 5000,
  maxIhaveMessageIDs: 5000,
  maxIwantMessageIDs: 5000,
  maxIdontwantMessageIDs: 512,
  maxControlMessages: 512,
  maxPeerInfos: 16,
};

export interface GossipOptions {
  readonly timing: ScoreTiming;
  /** Of the network's whole fork schedule, hex without 0x. */
  readonly forkDigests: readonly string[];
  readonly cures: readonly Cure[];
  readonly guard: Guard;
  /** Whether many peers share the address. */
  readonly isSharedAddress: (ip: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
  readonly onVerdict: (verdict: GossipVerdict) => void;
}

/** The libp2p service; `createGossip` takes over what it makes. */
export function gossipsubService(options: GossipOptions): (components: GossipSubComponents) => GossipSub {
  const { timing, cures, guard, isSharedAddress, counters } = options;
  const base: Partial<GossipsubOpts> = {
    globalSignaturePolicy: StrictNoSign,
    D: 8,
    Dlo: 6,
    Dhi: 12,
    Dlazy: 6,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    fanoutTTL: 60_000,
    mcacheLength: MCACHE_LENGTH,
    mcacheGossip: MCACHE_GOSSIP,
    seenTTL: 2 * timing.slotsPerEpoch * timing.slotMs,
    gossipsubIWantFollowupMs: IWANT_FOLLOWUP_MS,
    asyncValidation: true,
    fallbackToFloodsub: false,
    doPX: false,
    // A message that reaches nobody must not count as seen, or it could not be sent again when peers come.
    allowPublishToZeroTopicPeers: false,
    // Also needed for correctness: without it `publish` hands one RPC object to every peer in turn and adds each
    // peer's pending GRAFT, PRUNE and IHAVE to it, which the next peers then receive as theirs.
    batchPublish: true,
    idontwantMinDataSize: IDONTWANT_MIN_SIZE_BYTES,
    // One, and one that replaces it.
    maxInboundStreams: 2,
    maxInboundDataLength: MAX_RPC_SIZE_BYTES,
    maxOutboundBufferSize: MAX_OUTBOUND_BUFFER_BYTES,
    decodeRpcLimits: DECODE_LIMITS,
    allowedTopics: [],
    msgIdFn: ({ topic, data }) => messageIdOf(topic, data),
    msgIdToStrFn: messageIdToString,
    fastMsgIdFn: ({ topic, data }) => computeRawKey(topic, data ?? new Uint8Array()),
    scoreParams: peerScoreParams(timing, { applicationScore: guard.applicationScore, isSharedAddress }),
    scoreThresholds: SCORE_THRESHOLDS,
  };
  return gossipsub(cures.reduce((current, cure) => cure.configure?.(current, counters) ?? current, base));
}

function messageIdOf(topic: string, wireData: Uint8Array): Uint8Array {
  const parsed = parseTopic(topic);
  return computeMessageId(topic, wireData, parsed === null ? 0 : topicProfile(parsed.name).maxSizeBytes);
}

export interface Gossip {
  /** The node has started: joins what was subscribed before. */
  start(): void;
  subscribe(topic: GossipTopic): void;
  unsubscribe(name: TopicName, forkDigest: string): void;
  topics(): string[];
  /** Digests of the topics subscribed to. */
  forkDigests(): Set<string>;
  publish(name: TopicName, forkDigest: string, ssz: Uint8Array, options?: PublishOptions): Promise<PublishOutcome>;
  score(peerId: string): number;
  meshTopics(peerId: string): string[];
  meshPeerCount(name: TopicName, forkDigest: string): number;
  stop(): void;
}

export function createGossip(
  options: GossipOptions,
  libp2p: Libp2p<{ pubsub: GossipSub }>,
  hangUp: (peerId: PeerId, reason: string) => void,
): Gossip {
  const { timing, forkDigests, cures, guard, clock, log, counters, onVerdict } = options;
  const pubsub = gossipsubInternals(libp2p.services.pubsub);
  const deliver = (message: IncomingMessage) => boundary.receive(message);
  const isWaiting = (peerId: string) => boundary.isWaiting(peerId);
  const refuse: CureContext["refuse"] = (message) => boundary.refuse(message);
  const context = { pubsub, libp2p, guard, clock, log, counters, hangUp, messageIdOf, deliver, isWaiting, refuse };
  for (const cure of [...cures, fullAdverts]) cure.install?.(context);
  attachGuard(pubsub, guard);

  const subscribed = new Map<string, BoundaryTopic>();
  const boundary = createBoundary({
    pubsub,
    topics: subscribed,
    verdictDeadlineMs: VERDICT_DEADLINE_MS,
    isRefused: guard.isRefused,
    forget({ messageId, topic, wireData }) {
      pubsub.seenCache.entries.delete(messageId);
      pubsub.fastMsgIdCache.entries.delete(computeRawKey(topic, wireData));
    },
    onCrowding: (peerId) => void guard.meter(peerId).spend("crowding"),
    clock,
    log,
    counters,
    onVerdict(verdict) {
      guard.judged(verdict);
      onVerdict(verdict);
    },
  });
  connectBoundary(pubsub, boundary);
  for (const forkDigest of forkDigests) {
    for (const name of TOPIC_NAMES) allowTopic(pubsub, formatTopic(name, forkDigest));
  }

  let started = false;
  return {
    start() {
      started = true;
      for (const topic of subscribed.keys()) pubsub.subscribe(topic);
    },
    subscribe({ name, forkDigest, handler }) {
      const topic = formatTopic(name, forkDigest);
      allowTopic(pubsub, topic);
      pubsub.topicValidators.delete(topic);
      pubsub.score.params.topics[topic] ??= topicScoreParams(name, timing);
      subscribed.set(topic, { name, forkDigest, handler });
      if (started) pubsub.subscribe(topic);
    },
    unsubscribe(name, forkDigest) {
      const topic = formatTopic(name, forkDigest);
      if (!subscribed.delete(topic)) return;
      if (started) pubsub.unsubscribe(topic);
      // Score parameters stay: gossipsub reads them for each peer that has a record of the topic.
      allowTopic(pubsub, topic);
    },
    topics: () => [...subscribed.keys()],
    forkDigests: () => new Set([...subscribed.values()].map(({ forkDigest }) => forkDigest)),
    async publish(name, forkDigest, ssz, { evenIfSeen = false } = {}) {
      const topic = formatTopic(name, forkDigest);
      const { floodPublish, maxSizeBytes } = topicProfile(name);
      const wireData = compressBlock(ssz);
      if (wireData.length > MAX_PUBLISH_BYTES) {
        const fields = { topic, sizeBytes: wireData.length };
        throw new CodedError("MESSAGE_TOO_LARGE", `A message of ${wireData.length} bytes cannot be gossiped`, fields);
      }
      if (evenIfSeen) {
        pubsub.seenCache.entries.delete(messageIdToString(computeMessageId(topic, wireData, maxSizeBytes)));
      }
      try {
        const { recipients } = await pubsub.publish(topic, wireData, { floodPublish });
        return { topic, recipients: recipients.length, duplicate: false };
      } catch (error) {
        const reason = error instanceof Error ? error.message : "";
        if (reason === "PublishError.Duplicate") return { topic, recipients: 0, duplicate: true };
        if (reason === "PublishError.NoPeersSubscribedToTopic") return { topic, recipients: 0, duplicate: false };
        throw error;
      }
    },
    score: (peerId) => pubsub.getScore(peerId),
    meshTopics: (peerId) => [...pubsub.mesh].filter(([, peers]) => peers.has(peerId)).map(([topic]) => topic),
    meshPeerCount: (name, forkDigest) => pubsub.mesh.get(formatTopic(name, forkDigest))?.size ?? 0,
    stop: () => boundary.stop(),
  };
}

/**
 * Gossipsub hears of a peer's topics once, when they meet, and drops those that it does not allow at that time. So all
 * topics of the network's schedule are allowed from the start; what comes on one before we subscribe is ignored
 * before it is stored.
 */
function allowTopic(pubsub: GossipsubInternals, topic: string): void {
  pubsub.allowedTopics.add(topic);
  pubsub.topicValidators.set(topic, () => TopicValidatorResult.Ignore);
}

function connectBoundary(pubsub: GossipsubInternals, boundary: Boundary): void {
  pubsub.addEventListener("gossipsub:message", (event) => {
    const { msgId, propagationSource, msg } = (event as CustomEvent<GossipsubMessage>).detail;
    boundary.receive({
      messageId: msgId,
      peerId: propagationSource.toString(),
      topic: msg.topic,
      wireData: msg.data,
    });
  });
  pubsub.addEventListener("gossipsub:heartbeat", () => boundary.expire());
}
