/**
 * The trace: one JSON object a line. Node, peer, message and topic are indices into the lists of the first line. Field
 * names are short, since a run writes some ten lines a delivery.
 */

export const TRACE_VERSION = 1;

/** Ids that an IHAVE, IWANT or IDONTWANT names. */
export type MessageList = readonly number[];

export interface TraceHeader {
  readonly e: "run";
  readonly version: typeof TRACE_VERSION;
  /** Unix time of t = 0. */
  readonly epochMs: number;
  /** Full topic strings. */
  readonly topics: readonly string[];
  /** Peer ids; an observed network's peers follow as they are met. */
  readonly nodes: readonly string[];
  /** Message ids, hex; of the first topic. */
  readonly messages: readonly string[];
  /** Bytes of each message's data as it travels. */
  readonly payloadBytes: readonly number[];
  /** Messages with a lower index are for warming up. */
  readonly firstCounted: number;
}

/** What an RPC holds. Absent where empty. */
export interface RpcFields {
  /** Bytes of the RPC, with its length prefix. */
  readonly b: number;
  /** Messages. */
  readonly m?: readonly number[];
  /** Topics subscribed to, and left. */
  readonly sub?: readonly number[];
  readonly unsub?: readonly number[];
  /** Topic and ids. */
  readonly ihave?: readonly (readonly [number, MessageList])[];
  readonly iwant?: readonly MessageList[];
  readonly graft?: readonly number[];
  readonly prune?: readonly number[];
  readonly idontwant?: readonly MessageList[];
}

interface At {
  /** Microseconds from the trace's epoch. */
  readonly t: number;
}
interface OnNode extends At {
  readonly n: number;
}
interface WithPeer extends OnNode {
  readonly p: number;
}

export type TraceEvent =
  /** The node came up, or is about to leave. */
  | (OnNode & { readonly e: "up" | "down" })
  | (OnNode & { readonly e: "join" | "leave"; readonly c: number })
  /** An application handed the message to the node, before it judged it; `late`: microseconds after it was planned. */
  | (OnNode & { readonly e: "publish"; readonly m: number; readonly late: number })
  /** Judged valid, from peer `p`; `v`: microseconds that the verdict took. */
  | (WithPeer & { readonly e: "deliver"; readonly m: number; readonly v: number })
  | (WithPeer & { readonly e: "reject"; readonly m: number; readonly reason: string })
  /** A further copy. */
  | (WithPeer & { readonly e: "duplicate"; readonly m: number })
  /** The outbound gossip stream to a peer. */
  | (WithPeer & { readonly e: "open"; readonly proto: string })
  | (WithPeer & { readonly e: "close" })
  | (WithPeer & RpcFields & { readonly e: "recv" | "send" | "drop" })
  /** The peer entered or left this node's mesh. */
  | (WithPeer & { readonly e: "graft" | "prune"; readonly c: number })
  /** Mesh sizes by topic, and the scores of all connected peers. */
  | (OnNode & { readonly e: "sample"; readonly mesh: readonly number[]; readonly scores: readonly number[] })
  /** Names met later than the header; `i` is the next index. */
  | (At & { readonly e: "message"; readonly i: number; readonly id: string; readonly c: number })
  | (At & { readonly e: "peer"; readonly i: number; readonly id: string })
  /** Publishing of what counts began; the run was over. */
  | (At & { readonly e: "start" | "end" })
  /** An attack on the node began, and was over. */
  | (OnNode & { readonly e: "attack"; readonly name: string })
  | (OnNode & { readonly e: "attacked"; readonly name: string } & AttackOutcome)
  | (At & { readonly e: "process" } & ProcessUsage)
  | (At & { readonly e: "links" } & LinkUsage);

/** What an attack sent, and what came of it. */
export interface AttackOutcome {
  readonly identities: number;
  readonly rpcs: number;
  readonly messages: number;
  readonly bytes: number;
  /** Identities that the target hung up on. */
  readonly hungUp: number;
  /** Why the attack could not be made; null where it was. */
  readonly skipped: string | null;
  /** What the attack found wrong. */
  readonly faults: readonly string[];
}

/** What a process used between start and end. */
export interface ProcessUsage {
  readonly process: number;
  readonly nodes: readonly number[];
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rssBytes: number;
  /** How late the event loop was, sampled every 10 ms. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** On sockets: with noise, yamux, identify and pings. */
  readonly socketBytesIn: number;
  readonly socketBytesOut: number;
  /** Its clock may be wrong by so much against the others'. */
  readonly clockErrorMs: number;
  /** Lines that were dropped since the disk did not keep up. */
  readonly lost: number;
}

/** How true the links were to their model. */
export interface LinkUsage {
  readonly cpuMs: number;
  readonly chunks: number;
  readonly retransmissions: number;
  /** Milliseconds that chunks left later than the model says. */
  readonly lateP50Ms: number;
  readonly lateP99Ms: number;
  readonly lateMaxMs: number;
}
