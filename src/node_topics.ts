/** Which gossip topics a node is on: those of the current fork digest, and of a neighbouring one around a fork. */
import type { GossipHandler, GossipTopic, TopicName } from "./network/network.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "./spec/config.ts";
import { operations } from "./validation/operations.ts";

/**
 * Topics of both sides of a fork are kept for this long before and after it.
 * @spec specs/message-bus/p2p-interface.md#transitioning-the-gossip
 */
const FORK_OVERLAP_EPOCHS = 2;

export interface TopicHandlers {
  beaconBlock: GossipHandler;
  triggeredExit: GossipHandler;
  attestation(subnet: number): GossipHandler;
}

interface TopicNetwork {
  subscribe(topic: GossipTopic): void;
  unsubscribe(name: TopicName, forkDigest: string): void;
}

/** Every fork digest of the schedule, hex without 0x. */
export function scheduledForkDigests(config: MessageBusBeaconConfig): string[] {
  return config.forkBoundariesAscendingEpochOrder.map(({ epoch }) => computeForkDigestHex(config, epoch));
}

export class NodeTopics {
  readonly #config: MessageBusBeaconConfig;
  readonly #handlers: TopicHandlers;
  readonly #network: TopicNetwork;
  #subscribed = new Map<string, GossipTopic>();

  constructor(config: MessageBusBeaconConfig, handlers: TopicHandlers, network: TopicNetwork) {
    this.#config = config;
    this.#handlers = handlers;
    this.#network = network;
  }

  /** Brings the subscriptions up to the clock's epoch and the number of attestation subnets in use: whether any changed. */
  update(epoch: number, subnetCount: number): boolean {
    const wanted = new Map<string, GossipTopic>();
    for (let near = Math.max(0, epoch - FORK_OVERLAP_EPOCHS); near <= epoch + FORK_OVERLAP_EPOCHS; near++) {
      for (const topic of this.#topicsAt(near, subnetCount)) wanted.set(`${topic.forkDigest} ${topic.name}`, topic);
    }
    const changed =
      wanted.size !== this.#subscribed.size || [...wanted.keys()].some((key) => !this.#subscribed.has(key));
    for (const [key, topic] of wanted) if (!this.#subscribed.has(key)) this.#network.subscribe(topic);
    for (const [key, { name, forkDigest }] of this.#subscribed) {
      if (!wanted.has(key)) this.#network.unsubscribe(name, forkDigest);
    }
    this.#subscribed = wanted;
    return changed;
  }

  #topicsAt(epoch: number, subnetCount: number): GossipTopic[] {
    const forkDigest = computeForkDigestHex(this.#config, epoch);
    const { beaconBlock, triggeredExit, attestation } = this.#handlers;
    const topics: GossipTopic[] = [{ name: "beacon_block", forkDigest, handler: beaconBlock }];
    if (epoch >= this.#config.MESSAGE_BUS_FORK_EPOCH) {
      topics.push({ name: operations.triggeredExit.topic, forkDigest, handler: triggeredExit });
    }
    for (let subnet = 0; subnet < subnetCount; subnet++) {
      topics.push({ name: `beacon_attestation_${subnet}`, forkDigest, handler: attestation(subnet) });
    }
    return topics;
  }
}
