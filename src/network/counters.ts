/** What the network counts for metrics and tests; names are stable. */
const COUNTER_NAMES = [
  /** A gossip handler threw: a bug of ours. */
  "handlerErrors",
  /** Gossip messages ignored because too many were waiting for a verdict. */
  "queueFull",
  /** Verdicts that came after gossipsub had forgotten the message. */
  "lateVerdicts",
  /** Messages refused because they carry a field that StrictNoSign forbids. */
  "signedMessages",
  /** Peers hung up because our outbound gossip stream to them was gone. */
  "deafPeers",
  /** Peers of another network, told goodbye. */
  "irrelevantPeers",
  /** Requests of peers that were malformed, or broke a bound. */
  "badRequests",
  /** Requests of peers refused by the rate limit. */
  "rateLimitedRequests",
  /** Answers of peers that were malformed, or broke a bound. */
  "badResponses",
  /** Answers of peers that did not come in time. */
  "requestTimeouts",
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];
export type Counters = Record<CounterName, number>;

export function createCounters(): Counters {
  return Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Counters;
}
