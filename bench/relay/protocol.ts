/** What `main.ts` and its processes tell each other over their IPC channel, and the names of what is compared. */

/** What our stack adds to the library's, for leaving it out. */
export const PARTS = [
  "plain RPCs",
  "prompt messages",
  "gathered RPCs",
  "shared encoding",
  "lean yamux",
  "one write",
  "lean noise",
  "noise cipher",
  "libsodium",
] as const;
export type Part = (typeof PARTS)[number];

/** A relay's stack: all of the library's, our node on the library's transport, or our own, whole or without a part. */
export type RelayName = "stock" | "stock transport" | "msgbus" | `no ${Part}`;

/** The stack of publisher and sinks. */
export type EndpointKind = "stock" | "msgbus";

/** One network: publisher → relay → sinks. */
export interface NetworkSpec {
  readonly id: number;
  readonly relay: RelayName;
  readonly endpoints: EndpointKind;
  /** Private keys, libp2p's protobuf form in hex: the publisher's, and each sink's. */
  readonly publisherKey: string;
  readonly sinkKeys: readonly string[];
}

export type RelayRequest = { readonly do: "usage" };
export type RelayAnswer =
  | { readonly event: "ready"; readonly address: string }
  | { readonly event: "usage"; readonly cpuUs: number; readonly rssBytes: number; readonly meshed: number };

export type EndpointRequest =
  | { readonly do: "join"; readonly network: NetworkSpec; readonly address: string }
  /** Publishes `count` messages; `ratePerSecond` null: as fast as acknowledgements allow. */
  | { readonly do: "publish"; readonly id: number; readonly count: number; readonly ratePerSecond: number | null }
  /** So many messages have reached every sink since the network began. */
  | { readonly do: "acknowledge"; readonly id: number; readonly delivered: number }
  /** Answers with the delays since the last time. */
  | { readonly do: "delays"; readonly id: number };
export type EndpointAnswer =
  | { readonly event: "joined"; readonly id: number }
  | { readonly event: "delivered"; readonly id: number; readonly delivered: number }
  | { readonly event: "delays"; readonly id: number; readonly delaysUs: number[] };

export const SLOT_MS = 2000;
export const SLOTS_PER_EPOCH = 8;
export const FORK_DIGEST = "0a0b0c0d";
/** A triggered exit's size. */
export const PAYLOAD_BYTES = 1132;
/** Messages on their way at once with a full window. */
export const WINDOW = 64;
