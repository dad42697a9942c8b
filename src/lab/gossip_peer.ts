/**
 * A bare gossip peer: real TCP, noise, yamux and gossipsub, but none of our checks. It publishes any bytes and tells
 * every message that reaches it. The devnet uses it as the hostile peer and as the observer.
 */
import { createHash } from "node:crypto";
import { type GossipSub, gossipsub, StrictNoSign, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";

export interface GossipPeerMessage {
  readonly topic: string;
  /** Wire data: a snappy block, where the sender is honest. */
  readonly data: Uint8Array;
  readonly from: string;
}

/** Enough for a node to tell two messages apart; the peer keeps no order with the network's own ids. */
const MESSAGE_ID_BYTES = 20;
const IDENTIFY_TIMEOUT_MS = 5_000;

export class GossipPeer {
  readonly #libp2p: Libp2p<{ pubsub: GossipSub }>;

  private constructor(libp2p: Libp2p<{ pubsub: GossipSub }>) {
    this.#libp2p = libp2p;
  }

  /** @param topics subscribed from the start; nothing that arrives is forwarded. */
  static async start(
    agentVersion: string,
    topics: readonly string[],
    onMessage: (message: GossipPeerMessage) => void = () => {},
  ): Promise<GossipPeer> {
    const libp2p = await createLibp2p({
      addresses: { listen: [] },
      transports: [tcp()],
      streamMuxers: [yamux()],
      connectionEncrypters: [noise()],
      nodeInfo: { userAgent: agentVersion },
      services: {
        identify: identify({ timeout: IDENTIFY_TIMEOUT_MS }),
        pubsub: gossipsub({
          globalSignaturePolicy: StrictNoSign,
          fallbackToFloodsub: false,
          floodPublish: true,
          allowPublishToZeroTopicPeers: true,
          ignoreDuplicatePublishError: true,
          msgIdFn: (message) => {
            const hash = createHash("sha256").update(message.topic).update(message.data).digest();
            return new Uint8Array(hash.subarray(0, MESSAGE_ID_BYTES));
          },
          // One address holds the whole network; this peer punishes nobody.
          scoreParams: { IPColocationFactorWeight: 0 },
        }),
      },
    });
    const { pubsub } = libp2p.services;
    for (const topic of topics) {
      pubsub.topicValidators.set(topic, (from, { data }) => {
        onMessage({ topic, data, from: from.toString() });
        return TopicValidatorResult.Ignore;
      });
      pubsub.subscribe(topic);
    }
    return new GossipPeer(libp2p);
  }

  get peerId(): string {
    return this.#libp2p.peerId.toString();
  }

  async connect(address: string): Promise<void> {
    await this.#libp2p.dial(multiaddr(address));
  }

  /** Peers that have told us that they subscribe to the topic. */
  subscribers(topic: string): string[] {
    return this.#libp2p.services.pubsub.getSubscribers(topic).map((peer) => peer.toString());
  }

  /** Sends the bytes as they are to every subscriber that is connected. */
  async publish(topic: string, wireData: Uint8Array): Promise<number> {
    const { recipients } = await this.#libp2p.services.pubsub.publish(topic, wireData);
    return recipients.length;
  }

  async stop(): Promise<void> {
    await this.#libp2p.stop();
  }
}
