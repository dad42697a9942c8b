/**
 * The parts of gossipsub 17.1.1 that its public types leave out and the cures need. Looked at once, at construction:
 * a new version of the library that has moved any of them must stop the node, not silently undo a cure.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { PeerScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import type { Connection, PeerId, Stream } from "@libp2p/interface";
import { CodedError } from "../base/errors.ts";

export interface CachedMessage {
  readonly validated: boolean;
}

export interface MessageCacheInternals {
  readonly msgs: Map<string, CachedMessage>;
  getWithIWantCount(messageId: string, peerId: string): unknown;
  put(id: { readonly msgId: Uint8Array; readonly msgIdStr: string }, message: RPC.Message, validated: boolean): boolean;
  observeDuplicate(messageId: string, peerId: string): void;
}

export interface PeerStatsInternals {
  connected: boolean;
  readonly knownIPs: Set<string>;
}

export interface SimpleTimeCacheInternals {
  readonly entries: Map<string, unknown>;
  put(key: string, value: unknown): boolean;
  get(key: string): string | undefined;
}

export interface MessageDeliveriesInternals {
  readonly records: Map<string, unknown>;
  readonly queue: { shift(): { readonly msgId: string } | undefined };
  ensureRecord(messageId: string): unknown;
}

export interface PeerScoreInternals {
  readonly params: PeerScoreParams;
  readonly peerStats: Map<string, PeerStatsInternals>;
  readonly scoreCache: Map<string, unknown>;
  readonly deliveryRecords: MessageDeliveriesInternals;
  addPeer(peerId: string): void;
  removeIPsForPeer(peerId: string, ips: Set<string>): void;
  duplicateMessage(from: string, messageId: string, topic: string): void;
  rejectInvalidMessage(from: string, topic: string): void;
  validateMessage(messageId: string): void;
  deliverMessage(from: string, messageId: string, topic: string): void;
}

export interface GossipsubInternals extends EventTarget {
  readonly opts: {
    gossipFactor: number;
    readonly Dlazy: number;
    readonly mcacheGossip: number;
    readonly idontwantMinDataSize: number;
  };
  readonly peers: Map<string, PeerId>;
  readonly mesh: Map<string, Set<string>>;
  readonly backoff: Map<string, Map<string, number>>;
  readonly streamsInbound: Map<string, { close(): Promise<void> }>;
  readonly streamsOutbound: Map<string, { pushPrefixed(data: Uint8Array): void }>;
  readonly control: Map<string, unknown>;
  readonly gossip: Map<string, RPC.ControlIHave[]>;
  readonly seenCache: SimpleTimeCacheInternals;
  readonly fastMsgIdCache: SimpleTimeCacheInternals;
  readonly publishedMessageIds: SimpleTimeCacheInternals;
  readonly allowedTopics: Set<string>;
  readonly topicValidators: Map<string, () => string>;
  readonly subscriptions: Set<string>;
  readonly gossipTracer: { deliverMessage(messageId: string, isDuplicate: boolean): void };
  readonly mcache: MessageCacheInternals;
  readonly score: PeerScoreInternals;
  isStarted(): boolean;
  createInboundStream(peerId: PeerId, stream: Stream): void;
  createOutboundStream(peerId: PeerId, connection: Pick<Connection, "newStream">): Promise<void>;
  sendRpc(peerId: string, rpc: RPC): boolean;
  decodeRpc(bytes: Uint8Array): RPC;
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>;
  acceptFrom(peerId: string): boolean;
  fastMsgIdFn(message: RPC.Message): string;
  handleIHave(peerId: string, ihave: RPC.ControlIHave[]): RPC.ControlIWant[];
  handlePrune(peerId: string, prune: RPC.ControlPrune[]): Promise<void>;
  doAddBackoff(peerId: string, topic: string, intervalMs: number): void;
  getScore(peerId: string): number;
  emitGossip(candidatesByTopic: Map<string, Set<string>>): void;
  doEmitGossip(topic: string, candidates: ReadonlySet<string>, messageIds: Uint8Array[]): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  getTopics(): string[];
  publish(topic: string, data: Uint8Array, options: { floodPublish: boolean }): Promise<{ recipients: PeerId[] }>;
  reportMessageValidationResult(messageId: string, propagationSource: string, acceptance: string): void;
}

type Shape = { readonly [path: string]: "map" | "set" | "object" | number };

/** Paths to what must be there; a number is a function's count of parameters. */
const SHAPE: Shape = {
  peers: "map",
  mesh: "map",
  backoff: "map",
  streamsInbound: "map",
  streamsOutbound: "map",
  control: "map",
  gossip: "map",
  "seenCache.entries": "map",
  "seenCache.put": 2,
  "fastMsgIdCache.entries": "map",
  "fastMsgIdCache.put": 2,
  "fastMsgIdCache.get": 1,
  "publishedMessageIds.entries": "map",
  "publishedMessageIds.put": 2,
  allowedTopics: "set",
  topicValidators: "map",
  subscriptions: "set",
  "gossipTracer.deliverMessage": 1,
  "mcache.msgs": "map",
  "mcache.put": 2,
  "mcache.getWithIWantCount": 2,
  "mcache.observeDuplicate": 2,
  "score.params.topics": "object",
  "score.peerStats": "map",
  "score.scoreCache": "map",
  "score.deliveryRecords.records": "map",
  "score.deliveryRecords.queue": "object",
  "score.deliveryRecords.ensureRecord": 1,
  "score.addPeer": 1,
  "score.removeIPsForPeer": 2,
  "score.duplicateMessage": 3,
  "score.rejectInvalidMessage": 2,
  "score.validateMessage": 1,
  "score.deliverMessage": 3,
  isStarted: 0,
  createInboundStream: 2,
  createOutboundStream: 2,
  sendRpc: 2,
  decodeRpc: 1,
  handleReceivedRpc: 2,
  acceptFrom: 1,
  fastMsgIdFn: 1,
  handleIHave: 2,
  handlePrune: 2,
  doAddBackoff: 3,
  emitGossip: 1,
  doEmitGossip: 3,
  getScore: 1,
  opts: "object",
  publish: 3,
  reportMessageValidationResult: 3,
};

/** Throws a `CodedError` `LIBRARY_CHANGED` that names what has moved. */
export function gossipsubInternals(pubsub: unknown): GossipsubInternals {
  for (const [path, kind] of Object.entries(SHAPE)) {
    let value: unknown = pubsub;
    for (const key of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
    if (!hasKind(value, kind)) {
      throw new CodedError(
        "LIBRARY_CHANGED",
        `gossipsub has no "${path}" of the expected form: this version of the library is not the one that is cured here`,
        { path },
      );
    }
  }
  return pubsub as GossipsubInternals;
}

function hasKind(value: unknown, kind: Shape[string]): boolean {
  if (kind === "map") return value instanceof Map;
  if (kind === "set") return value instanceof Set;
  if (kind === "object") return typeof value === "object" && value !== null;
  return typeof value === "function" && value.length === kind;
}
