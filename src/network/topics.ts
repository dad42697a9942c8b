/**
 * Gossip topics of this network: `/eth2/<fork digest>/<name>/ssz_snappy`.
 * @spec fulu/p2p-interface.md#topics-and-messages
 */
import { ATTESTATION_SUBNET_COUNT } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../spec/constants.ts";
import type { TopicName } from "./network.ts";

/** The largest uncompressed payload that the protocol lets anyone send. @spec phase0/p2p-interface.md#configuration */
export const MAX_PAYLOAD_SIZE_BYTES = 10 * 1024 * 1024;
/** The largest RPC frame: a payload of the largest size as snappy can bloat it, and its envelope. @spec phase0/p2p-interface.md#max_message_size */
export const MAX_RPC_SIZE_BYTES = 32 + MAX_PAYLOAD_SIZE_BYTES + Math.floor(MAX_PAYLOAD_SIZE_BYTES / 6) + 1024;

export interface TopicProfile {
  /** Messages that claim to be larger are never decompressed. */
  readonly maxSizeBytes: number;
  /** Share of a peer's score that the topic decides; see `scoring.ts`. */
  readonly weight: number;
  /** Messages expected in a slot of an ordinary network; only the scale of the score depends on it. */
  readonly messagesPerSlot: number;
  /**
   * Own messages go to every peer, not to the mesh alone: the answer of gossipsub 1.1 to a mesh that attackers hold.
   * Worth it for what is rare and must arrive; attestations are neither.
   */
  readonly floodPublish: boolean;
}

const BLOCK: TopicProfile = {
  maxSizeBytes: MAX_PAYLOAD_SIZE_BYTES,
  weight: 0.5,
  messagesPerSlot: 1,
  floodPublish: true,
};
const TRIGGERED_EXIT: TopicProfile = {
  maxSizeBytes: TRIGGERED_EXIT_SIZE_BYTES,
  weight: 0.5,
  messagesPerSlot: 1,
  floodPublish: true,
};
const ATTESTATION: TopicProfile = {
  maxSizeBytes: ssz.electra.SingleAttestation.fixedSize ?? MAX_PAYLOAD_SIZE_BYTES,
  weight: 1 / ATTESTATION_SUBNET_COUNT,
  messagesPerSlot: 4,
  floodPublish: false,
};

/** Every topic of one fork digest. */
export const TOPIC_NAMES: readonly TopicName[] = [
  "beacon_block",
  "triggered_exit",
  ...Array.from({ length: ATTESTATION_SUBNET_COUNT }, (_, subnet): TopicName => `beacon_attestation_${subnet}`),
];
const KNOWN_NAMES: ReadonlySet<string> = new Set(TOPIC_NAMES);

export function topicProfile(name: TopicName): TopicProfile {
  if (name === "beacon_block") return BLOCK;
  return name === "triggered_exit" ? TRIGGERED_EXIT : ATTESTATION;
}

/** `forkDigest`: 4 bytes, hex without 0x. */
export function formatTopic(name: TopicName, forkDigest: string): string {
  return `/eth2/${forkDigest}/${name}/ssz_snappy`;
}

export interface TopicParts {
  readonly name: TopicName;
  readonly forkDigest: string;
}

/** Which of ours was parsed last: messages come on the same topic again and again. */
let last: { readonly topic: string; readonly parts: TopicParts } | null = null;

/** The parts of a full topic, or null where it is none of ours. */
export function parseTopic(topic: string): TopicParts | null {
  if (topic === last?.topic) return last.parts;
  const parts = matchTopic(topic);
  if (parts !== null) last = { topic, parts };
  return parts;
}

function matchTopic(topic: string): TopicParts | null {
  const match = /^\/eth2\/([0-9a-f]{8})\/([a-z0-9_]+)\/ssz_snappy$/.exec(topic);
  const [, forkDigest, name] = match ?? [];
  if (forkDigest === undefined || name === undefined || !KNOWN_NAMES.has(name)) return null;
  return { name: name as TopicName, forkDigest };
}
