/** What the rest of the node may ask of the network, and what it must give: plain values, no libp2p types. */
import type { Verdict } from "../validation/verdict.ts";
import type { Counters } from "./counters.ts";

/** Names of gossip topics between the fork digest and the encoding. */
export type TopicName = "beacon_block" | "triggered_exit" | `beacon_attestation_${number}`;

export interface GossipContext {
  readonly topic: TopicName;
  /** 4 bytes, hex without 0x. */
  readonly forkDigest: string;
  /** The peer that handed us the message. */
  readonly peerId: string;
  readonly receivedMs: number;
}

/**
 * Judges one message, as it came off the wire (snappy block). A throw counts as IGNORE and as a bug of ours, and so does
 * an answer that takes longer than gossipsub remembers the message (3.5 s). The data is a view into a frame that
 * may be much larger: copy what is to be kept.
 */
export type GossipHandler = (wireData: Uint8Array, context: GossipContext) => Verdict | Promise<Verdict>;

export interface GossipTopic {
  readonly name: TopicName;
  /** Fork digests on which the topic is subscribed, hex without 0x. */
  readonly forkDigest: string;
  readonly handler: GossipHandler;
}

/** How one received message ended. */
export interface GossipVerdict {
  readonly topic: TopicName;
  readonly forkDigest: string;
  readonly peerId: string;
  /** As it came, compressed. */
  readonly sizeBytes: number;
  readonly verdict: Verdict;
  /** From receipt to answer. */
  readonly elapsedMs: number;
}

export interface PublishOptions {
  /** Gossip brought the message before, and it was ignored then: it is sent all the same. */
  readonly evenIfSeen?: boolean;
}

export interface PublishOutcome {
  readonly topic: string;
  /** Peers that the message was sent to; 0 when no peer subscribes (try again later), or the message had been seen. */
  readonly recipients: number;
  readonly duplicate: boolean;
}

/** Beacon API names. */
export interface PeerInfo {
  readonly peerId: string;
  readonly lastSeenAddress: string;
  readonly direction: "inbound" | "outbound";
  readonly state: "connected" | "connecting" | "disconnected" | "disconnecting";
  readonly agent: string | null;
  /** Gossipsub score, 0 where unknown. */
  readonly score: number;
  /** Topics in whose mesh the peer is. */
  readonly meshTopics: string[];
  /** What the peer has spent of the guard's limits, by kind (`guard/limits.ts`). */
  readonly guard: Readonly<Record<string, number>>;
}

/** What a part above the network may hold against a peer. */
export type PeerFault = "unknownRoots" | "parkedExpired";

/** @spec fulu/p2p-interface.md#status-v2 */
export interface StatusMessage {
  /** 4 bytes. */
  readonly forkDigest: Uint8Array;
  readonly finalizedRoot: Uint8Array;
  readonly finalizedEpoch: number;
  readonly headRoot: Uint8Array;
  readonly headSlot: number;
  readonly earliestAvailableSlot: number;
}

/** Blocks as SSZ with the fork digest of their slot, as they cross the wire. */
export interface WireBlock {
  readonly forkDigest: string;
  readonly ssz: Uint8Array;
}

/** What req/resp serves to others; each generator is bounded by the caller. */
export interface ReqRespBackend {
  getStatus(): StatusMessage;
  onStatus(peerId: string, status: StatusMessage): void;
  /** The peer's last connection is closed. */
  onPeerGone?(peerId: string): void;
  getBlocksByRange(startSlot: number, count: number): AsyncIterable<WireBlock>;
  getBlocksByRoot(roots: Uint8Array[]): AsyncIterable<WireBlock>;
}

/** Of a node that keeps no blocks, and makes nothing of what others stand at. */
export function backendWithoutBlocks(getStatus: () => StatusMessage): ReqRespBackend {
  return { getStatus, onStatus() {}, async *getBlocksByRange() {}, async *getBlocksByRoot() {} };
}

export interface Network {
  readonly peerId: string;
  /** Where others can dial this node: multiaddrs with peer id. */
  multiaddrs(): string[];
  start(): Promise<void>;
  /** Leaves: goodbye to peers, ports closed; resolves within 5 s whatever the peers do. */
  stop(): Promise<void>;
  subscribe(topic: GossipTopic): void;
  unsubscribe(name: TopicName, forkDigest: string): void;
  /** Full topic strings that this node subscribes to. */
  topics(): string[];
  /**
   * Compresses and publishes. The caller has judged the message by the same handler before.
   * Throws a `CodedError`: `MESSAGE_TOO_LARGE` (about 4 MiB), `NETWORK_NOT_RUNNING`.
   */
  publish(name: TopicName, forkDigest: string, ssz: Uint8Array, options?: PublishOptions): Promise<PublishOutcome>;
  peers(): PeerInfo[];
  meshPeerCount(name: TopicName, forkDigest: string): number;
  /** Throws a `CodedError` (`REQUEST_FAILED`, `REQUEST_TIMEOUT`, `BAD_RESPONSE`). */
  requestBlocksByRange(peerId: string, startSlot: number, count: number): Promise<WireBlock[]>;
  requestBlocksByRoot(peerId: string, roots: Uint8Array[]): Promise<WireBlock[]>;
  requestStatus(peerId: string): Promise<StatusMessage>;
  /** Hangs up; the peer may dial again. `reason`: a code, for log and metrics. */
  disconnect(peerId: string, reason: string): void;
  /** Lowers the peer's score; one that has used up its allowance is hung up and refused. */
  penalize(peerId: string, fault: PeerFault, count?: number): void;
  /** Peers hung up by us, by reason. */
  disconnects(): Readonly<Record<string, number>>;
  counters(): Readonly<Counters>;
}
