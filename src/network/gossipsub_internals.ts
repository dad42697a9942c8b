/**
 * The parts of gossipsub 17.1.1 that its public types leave out and the cures need. Looked at once, at construction:
 * a new version of the library that has moved any of them must stop the node, not silently undo a cure.
 */
import type { PeerScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import type { PeerId } from "@libp2p/interface";
import { CodedError } from "../base/errors.ts";

export interface CachedMessage {
  readonly validated: boolean;
}

export interface MessageCacheInternals {
  readonly msgs: Map<string, CachedMessage>;
  getWithIWantCount(messageId: string, peerId: string): unknown;
}

export interface PeerStatsInternals {
  connected: boolean;
  readonly knownIPs: Set<string>;
}

export interface PeerScoreInternals {
  readonly params: PeerScoreParams;
  readonly peerStats: Map<string, PeerStatsInternals>;
  addPeer(peerId: string): void;
  deliverMessage(from: string, messageId: string, topic: string): void;
}

export interface GossipsubInternals extends EventTarget {
  readonly peers: Map<string, PeerId>;
  readonly mesh: Map<string, Set<string>>;
  readonly streamsOutbound: Map<string, unknown>;
  readonly allowedTopics: Set<string>;
  readonly topicValidators: Map<string, () => string>;
  readonly mcache: MessageCacheInternals;
  readonly score: PeerScoreInternals;
  getScore(peerId: string): number;
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
  streamsOutbound: "map",
  allowedTopics: "set",
  topicValidators: "map",
  "mcache.msgs": "map",
  "mcache.put": 2,
  "mcache.getWithIWantCount": 2,
  "score.params.topics": "object",
  "score.peerStats": "map",
  "score.addPeer": 1,
  "score.deliverMessage": 3,
  getScore: 1,
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
