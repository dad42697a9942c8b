import { hash } from "node:crypto";
import { decompressBlock } from "./encoding.ts";

const MESSAGE_DOMAIN_INVALID_SNAPPY = Uint8Array.of(0, 0, 0, 0);
const MESSAGE_DOMAIN_VALID_SNAPPY = Uint8Array.of(1, 0, 0, 0);
const DOMAIN_BYTES = 4;
const TOPIC_LENGTH_BYTES = 8;
const MESSAGE_ID_SIZE_BYTES = 20;

/** What is hashed, while it is hashed: room for all operations. */
const scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The id under which gossipsub deduplicates and announces a message: 20 bytes. The topic is part of it, so that a
 * replay on one topic cannot suppress the genuine message on another. A payload that claims more than
 * `maxSizeBytes` gets the id of invalid snappy, without being decompressed: it is rejected in any case.
 * @spec altair/p2p-interface.md#topics-and-messages
 */
export function computeMessageId(topic: string, wireData: Uint8Array, maxSizeBytes: number): Uint8Array {
  const payload = decompressBlock(wireData, maxSizeBytes);
  const content = payload ?? wireData;
  const topicBytes = Buffer.byteLength(topic);
  const sizeBytes = DOMAIN_BYTES + TOPIC_LENGTH_BYTES + topicBytes + content.length;
  // In one piece, for one call into native code instead of six.
  const bytes = sizeBytes <= scratch.length ? scratch.subarray(0, sizeBytes) : Buffer.allocUnsafe(sizeBytes);
  bytes.set(payload === null ? MESSAGE_DOMAIN_INVALID_SNAPPY : MESSAGE_DOMAIN_VALID_SNAPPY);
  // A topic's length, little-endian: it fits the lower half.
  bytes.writeUInt32LE(topicBytes, DOMAIN_BYTES);
  bytes.writeUInt32LE(0, DOMAIN_BYTES + 4);
  bytes.write(topic, DOMAIN_BYTES + TOPIC_LENGTH_BYTES);
  bytes.set(content, DOMAIN_BYTES + TOPIC_LENGTH_BYTES + topicBytes);
  return hash("sha256", bytes, "buffer").subarray(0, MESSAGE_ID_SIZE_BYTES);
}

/** The key of a message id in maps and logs. */
export function messageIdToString(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("hex");
}

/**
 * A local key for the bytes as they came, so that the other copies of a message (7 of 8 in a full mesh) are known
 * without decompressing them. Collision-resistant, or else a crafted message could hide an honest one.
 */
export function computeRawKey(topic: string, wireData: Uint8Array): string {
  return `${topic}:${hash("sha256", wireData, "base64")}`;
}
