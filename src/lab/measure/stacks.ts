/** What a measured node talks through: the network that every node of ours has, or the libraries as they come. */
import { gossipsub, StrictNoSign, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { createNetwork } from "../../network/create_network.ts";
import type { Cure } from "../../network/cures/cure.ts";
import { ALL_CURES } from "../../network/cures/index.ts";
import { compressBlock } from "../../network/encoding.ts";
import type { GossipsubInternals } from "../../network/gossipsub_internals.ts";
import { parsePrivateKey } from "../../network/identity.ts";
import { computeMessageId, messageIdToString } from "../../network/message_id.ts";
import {
  backendWithoutBlocks,
  type GossipContext,
  type GossipHandler,
  type PeerFault,
  type PublishOutcome,
  type StatusMessage,
} from "../../network/network.ts";
import { formatTopic, topicProfile } from "../../network/topics.ts";
import { NETNS_RANGE } from "./netns.ts";
import { watchedStack } from "./watched_stack.ts";

export const MEASURED_TOPIC = "triggered_exit";

export const STACKS = ["msgbus", "stock"] as const;
export type StackName = (typeof STACKS)[number];

/** A mesh with fewer peers is still looking for more: gossipsub's Dlo, Ethereum's and the library's own. */
export const MESH_LOW: Readonly<Record<StackName, number>> = { msgbus: 6, stock: 4 };

export interface MeasuredNetwork {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Multiaddr with peer id. Throws a `CodedError` `NETWORK_NOT_RUNNING`. */
  address(): string;
  meshSize(): number;
  peerCount(): number;
  /** Rejects where the peer cannot be reached. */
  dial(address: string): Promise<void>;
  publish(ssz: Uint8Array, evenIfSeen: boolean): Promise<PublishOutcome>;
  penalize(peerId: string, fault: PeerFault, count: number): void;
}

export interface StackOptions {
  /** libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
  /** IPv4 address. */
  readonly host: string;
  readonly maxPeers: number;
  readonly version: string;
  readonly forkDigest: string;
  readonly slotMs: number;
  readonly status: StatusMessage;
  readonly handler: GossipHandler;
  /** Hangs on to gossipsub before the first connection, after all cures; null: nothing does. */
  readonly watch: ((pubsub: GossipsubInternals) => void) | null;
}

export interface StackDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export function createMeasuredNetwork(stack: StackName, options: StackOptions, deps: StackDeps): MeasuredNetwork {
  return stack === "msgbus" ? msgbusNetwork(options, deps) : stockNetwork(options, deps);
}

function msgbusNetwork(options: StackOptions, deps: StackDeps): MeasuredNetwork {
  const { privateKey, host, maxPeers, version, forkDigest, slotMs, status, handler, watch } = options;
  let libp2p: Libp2p | null = null;
  const watcher: Cure = {
    name: "measure",
    install(parts) {
      libp2p = parts.libp2p;
      watch?.(parts.pubsub);
    },
  };
  const network = createNetwork(
    {
      privateKey,
      listen: [listenOn(host)],
      testNetworks: [NETNS_RANGE],
      bootnodes: [],
      version,
      slotMs,
      slotsPerEpoch: SLOTS_PER_EPOCH,
      forkDigests: [forkDigest],
      maxPeers,
    },
    {
      backend: backendWithoutBlocks(() => status),
      onVerdict: () => {},
      ...deps,
    },
    ALL_CURES,
    watchedStack(watcher),
  );
  network.subscribe({ name: MEASURED_TOPIC, forkDigest, handler });
  return {
    start: () => network.start(),
    stop: () => network.stop(),
    address: () => required(network.multiaddrs()[0]),
    meshSize: () => network.meshPeerCount(MEASURED_TOPIC, forkDigest),
    peerCount: () => libp2p?.getPeers().length ?? 0,
    async dial(address) {
      await libp2p?.dial(multiaddr(address));
    },
    publish: (ssz, evenIfSeen) => network.publish(MEASURED_TOPIC, forkDigest, ssz, { evenIfSeen }),
    penalize: (peerId, fault, count) => network.penalize(peerId, fault, count),
  };
}

/**
 * libp2p and gossipsub with all their defaults, but for what Ethereum's gossip must have (no signatures, its message ids,
 * a verdict before a message goes on) and what would keep a network from standing on one address: the score's penalty for a
 * shared address, and the limits on new connections from it.
 */
function stockNetwork(options: StackOptions, { clock }: StackDeps): MeasuredNetwork {
  const { privateKey, host, maxPeers, version, forkDigest, handler, watch } = options;
  const topic = formatTopic(MEASURED_TOPIC, forkDigest);
  const { maxSizeBytes } = topicProfile(MEASURED_TOPIC);
  let libp2p: Awaited<ReturnType<typeof create>> | null = null;
  let mesh: GossipsubInternals["mesh"] = new Map();

  function create() {
    return createLibp2p({
      start: false,
      privateKey: parsePrivateKey(privateKey),
      nodeInfo: { name: "stock", version, userAgent: `stock/${version}` },
      addresses: { listen: [listenOn(host)] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: {
        inboundConnectionThreshold: Number.POSITIVE_INFINITY,
        maxIncomingPendingConnections: maxPeers,
      },
      services: {
        identify: identify(),
        ping: ping(),
        pubsub: gossipsub({
          globalSignaturePolicy: StrictNoSign,
          asyncValidation: true,
          allowPublishToZeroTopicPeers: true,
          scoreParams: { IPColocationFactorWeight: 0 },
          msgIdFn: ({ data }) => computeMessageId(topic, data, maxSizeBytes),
          msgIdToStrFn: messageIdToString,
        }),
      },
    });
  }

  const results = {
    accept: TopicValidatorResult.Accept,
    ignore: TopicValidatorResult.Ignore,
    reject: TopicValidatorResult.Reject,
  } as const;

  async function start(): Promise<void> {
    libp2p = await create();
    const { pubsub } = libp2p.services;
    // Not in its public types; the cures' own look at them asks for caches that a default gossipsub has not.
    const gossip = pubsub as unknown as GossipsubInternals;
    mesh = gossip.mesh;
    pubsub.addEventListener("gossipsub:message", ({ detail: { propagationSource, msgId, msg } }) => {
      const context: GossipContext = {
        topic: MEASURED_TOPIC,
        forkDigest,
        peerId: propagationSource.toString(),
        receivedMs: clock.monotonicMs(),
      };
      Promise.resolve(handler(msg.data, context)).then(
        ({ result }) => gossip.reportMessageValidationResult(msgId, context.peerId, results[result]),
        () => gossip.reportMessageValidationResult(msgId, context.peerId, results.ignore),
      );
    });
    watch?.(gossip);
    await libp2p.start();
    pubsub.subscribe(topic);
  }

  return {
    start,
    async stop() {
      await libp2p?.stop();
    },
    address: () => required(libp2p?.getMultiaddrs()[0]?.toString()),
    meshSize: () => mesh.get(topic)?.size ?? 0,
    peerCount: () => libp2p?.getPeers().length ?? 0,
    async dial(address) {
      await libp2p?.dial(multiaddr(address));
    },
    async publish(ssz) {
      const outcome = await libp2p?.services.pubsub.publish(topic, compressBlock(ssz));
      return { topic, recipients: outcome?.recipients.length ?? 0, duplicate: false };
    },
    penalize: () => {},
  };
}

function listenOn(host: string): string {
  return `/ip4/${host}/tcp/0`;
}

function required(address: string | undefined): string {
  if (address === undefined) throw new CodedError("NETWORK_NOT_RUNNING", "The node does not listen");
  return address;
}
