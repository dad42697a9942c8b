/**
 * What one peer may spend. Each limit is a token bucket: `burst` at once, `perSecond` in the long run; a peer that asks
 * for more is hung up. They are meant to leave room for ten times a mainnet node's load (some 200 messages a second,
 * 16 exits a block) from go-libp2p-pubsub, rust-libp2p and gossipsub.js at their defaults, and to end a flood of
 * 10,000 RPCs a second within a gossip heartbeat (0.7 s).
 */
import { MAX_RPC_SIZE_BYTES } from "../topics.ts";

export interface Limit {
  readonly burst: number;
  readonly perSecond: number;
  /** Stands in logs, metrics and the API when a peer is hung up. */
  readonly reason: string;
}

/** Muxer data of fewer bytes costs more than it brings. */
export const CRUMB_BYTES = 8;

export const LIMITS = {
  /**
   * RPC frames. What carries a message is given back when the message is judged (it has paid there) or is a copy, and
   * what we asked for by IWANT is granted before, and IDONTWANT has a limit of its own. So these are messages still
   * unjudged, 845 when a block of 60 million gas is full of them and we have not seen it yet, and other control frames, of
   * which honest peers send some 10 a heartbeat. At 10,000 RPCs a second it lasts 105 ms.
   */
  frames: { burst: 1024, perSecond: 256, reason: "RPC_RATE" },
  /** Messages inside frames, likewise given back. gossipsub.js answers an IWANT, of at most 5000 ids, in one RPC. */
  messages: { burst: 5000, perSecond: 1024, reason: "MESSAGE_RATE" },
  /** Likewise. Four of the largest frames at once, then 64 Mbit/s. */
  bytes: { burst: 4 * MAX_RPC_SIZE_BYTES, perSecond: 8 * 1024 * 1024, reason: "BYTE_RATE" },
  /**
   * Copies of known messages. Every message that anyone brings grants each peer one copy; beside that, some slack for
   * those that are older than the connection.
   */
  duplicates: { burst: 2048, perSecond: 64, reason: "DUPLICATE_SPAM" },
  /** Frames that do not decode, or break `DECODE_LIMITS`, and as many again as they have 64 KiB. Honest peers send none. */
  malformed: { burst: 8, perSecond: 1 / 60, reason: "MALFORMED_FRAMES" },
  /** Frames that say nothing. go greets with one when it subscribes to nothing; extensions of later versions look so too. */
  empty: { burst: 32, perSecond: 1, reason: "EMPTY_FRAMES" },
  /** Messages and GRAFTs on topics that we have not subscribed to: only what was under way when we left one. */
  unknownTopics: { burst: 256, perSecond: 4, reason: "UNKNOWN_TOPICS" },
  /** Topics announced or left: two fork digests of some 210 topics, as Ethereum's clients have, and subnets that rotate. */
  subscriptions: { burst: 1024, perSecond: 32, reason: "SUBSCRIPTION_FLOOD" },
  /** RPCs with IHAVE: go, rust and js take 10 a heartbeat from a peer and ignore more, so nobody sends more; twice that. */
  ihave: { burst: 100, perSecond: 30, reason: "IHAVE_FLOOD" },
  /** Their ids: three heartbeats of 2,000 messages a second are 4,200, told again each heartbeat. */
  ihaveIds: { burst: 20_000, perSecond: 10_000, reason: "IHAVE_FLOOD" },
  /** RPCs with IWANT: one answers each IHAVE of ours, of which we send one a heartbeat; as many as of IHAVE. */
  iwant: { burst: 100, perSecond: 30, reason: "IWANT_FLOOD" },
  iwantIds: { burst: 20_000, perSecond: 10_000, reason: "IWANT_FLOOD" },
  /** A fork has a peer graft all topics of the new digest, some 210 at most, beside those of the old one. */
  graft: { burst: 512, perSecond: 16, reason: "GRAFT_FLOOD" },
  /** A peer that restarts has forgotten its backoffs: once every topic of two digests at most that both have. */
  graftBackoff: { burst: 256, perSecond: 1, reason: "GRAFT_IN_BACKOFF" },
  prune: { burst: 512, perSecond: 16, reason: "PRUNE_FLOOD" },
  /** Ids: gossipsub.js takes 512 a heartbeat, go 10. go (from 1 KiB) and rust (from 1 kB) send one a message, so each exit. */
  idontwant: { burst: 4096, perSecond: 1024, reason: "IDONTWANT_FLOOD" },
  /**
   * The allowance of exits that end in IGNORE for a reason of theirs. A peer that is a block ahead brings all that the
   * block announces: 160 at ten times what a block can include, and 845 if someone fills a block with messages.
   */
  ignoredExits: { burst: 1024, perSecond: 16, reason: "IGNORED_SPAM" },
  /** Blocks and attestations that end in IGNORE: all attestations of some slots, while their blocks are missing. */
  ignoredOthers: { burst: 4096, perSecond: 512, reason: "IGNORED_SPAM" },
  /**
   * Messages dropped from the full queue of verdicts, of peers that have used up their calls in vain: several identities
   * that flood together, each below the limits above. One that is a block ahead, and comes when they have filled it, may lose
   * all 845 that the block announces.
   */
  crowding: { burst: 1024, perSecond: 16, reason: "QUEUE_CROWDED" },
  /** REJECT means that no honest peer would have sent it; scoring graylists after 13, and this hangs up. */
  rejected: { burst: 20, perSecond: 1 / 60, reason: "REJECTED_SPAM" },
  /**
   * Roots that no block has brought and nobody else has proven against: a block has one, and a forged proof makes one each. An honest
   * peer is ahead by no more blocks than a node may be behind which holds itself for synced: an epoch. Below VAIN_CALLS_BURST, so that
   * many who forge together are gone before their messages wait, and more of them come meanwhile.
   */
  unknownRoots: { burst: 32, perSecond: 1, reason: "UNKNOWN_ROOTS" },
  /** Exits that expired unproven while parked. A block that is orphaned leaves all of its exits so. */
  parkedExpired: { burst: 512, perSecond: 1, reason: "PARKED_SPAM" },
  /** Gossip streams: one a connection; a new one replaces the last. */
  gossipStreams: { burst: 16, perSecond: 0.2, reason: "STREAM_CHURN" },
  /** Streams of any protocol: each request opens one, of which the rate limit of req/resp grants fewer than this. */
  streams: { burst: 256, perSecond: 16, reason: "STREAM_CHURN" },
  /** Connections: a peer that redials every second is refused by ours, being full, or is no good. */
  connections: { burst: 32, perSecond: 0.5, reason: "CONNECTION_CHURN" },
  /** yamux's pings and GOAWAYs: keepalives and round-trip measures come every 10 to 30 s. */
  muxerPings: { burst: 64, perSecond: 1, reason: "MUXER_FLOOD" },
  /**
   * Window updates, closes and resets: go and rust send one for each half window of 256 KiB that we send, and one for each
   * stream. js-libp2p sends one for each data frame, so each that we send grants one.
   */
  muxerControl: { burst: 4096, perSecond: 512, reason: "MUXER_FLOOD" },
  /** Data of fewer than CRUMB_BYTES: Prysm writes result byte and length of a req/resp chunk one by one. */
  muxerCrumbs: { burst: 4096, perSecond: 512, reason: "MUXER_FLOOD" },
  /** Pings of libp2p's protocol: go and js send one every 10 s, rust every 15 s. */
  pings: { burst: 32, perSecond: 1, reason: "PING_FLOOD" },
} as const satisfies Record<string, Limit>;

export type GuardKind = keyof typeof LIMITS;
export const GUARD_KINDS = Object.keys(LIMITS) as readonly GuardKind[];

/** Faults that need no second one. */
export type GuardFault = "OVERSIZE_FRAME" | "SLOW_FRAME" | "BAD_NEGOTIATION" | "BAD_MUXER_FRAME" | "HANDSHAKE_FLOOD";
export type BanReason = (typeof LIMITS)[GuardKind]["reason"] | GuardFault;
