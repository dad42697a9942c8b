/**
 * Reads an RPC of plain messages by hand. The library's decoder goes through a function for each field, and makes the topic
 * anew for each message, character by character: as a key of maps it must then be looked up among all strings that
 * the process knows. Here a known topic's bytes give the one string. Whatever is not exactly that goes the library's way,
 * what is malformed as well.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Cure } from "../cures/cure.ts";

/** Field 2 of an RPC and of a message, and field 4 of a message: bytes or text behind a length. */
export const FIELD_2 = 0x12;
export const FIELD_4 = 0x22;

/** Of one RPC. What holds more has a limit of the library's to keep. */
const MAX_MESSAGES = 256;
/** Of topics remembered by their bytes: those of two fork digests, and as many again. */
const MAX_TOPICS = 64;

interface Field {
  start: number;
  end: number;
}

/** Where a field's content is whose length stands at `at`; false where it has none of up to 28 bits, or ends behind `limit`. */
function readField(bytes: Uint8Array, at: number, limit: number, field: Field): boolean {
  let length = 0;
  for (let i = 0; i < 4 && at + i < limit; i++) {
    const byte = bytes[at + i] as number;
    length |= (byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    field.start = at + i + 1;
    field.end = field.start + length;
    return field.end <= limit;
  }
  return false;
}

/** Topics by their bytes. */
export class KnownTopics {
  #topics: { readonly bytes: Uint8Array; readonly topic: string }[] = [];

  learn(topic: string): void {
    if (this.#topics.some((known) => known.topic === topic)) return;
    // Of forks gone by, most of them.
    if (this.#topics.length === MAX_TOPICS) this.#topics = [];
    this.#topics.push({ bytes: Buffer.from(topic), topic });
  }

  find(bytes: Uint8Array, { start, end }: Field): string | undefined {
    for (const known of this.#topics) {
      // From the back: topics begin alike.
      let left = known.bytes.length === end - start ? end - start : -1;
      while (left > 0 && known.bytes[left - 1] === bytes[start + left - 1]) left--;
      if (left === 0) return known.topic;
    }
    return undefined;
  }
}

/** While it is read. */
const field: Field = { start: 0, end: 0 };

/** Null where it is something else: data and a known topic, in this order and once each, are all that a message has. */
export function readPlainRpc(bytes: Uint8Array, topics: KnownTopics): RPC | null {
  const messages: RPC.Message[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (messages.length === MAX_MESSAGES || bytes[at] !== FIELD_2) return null;
    if (!readField(bytes, at + 1, bytes.length, field)) return null;
    const { start, end } = field;
    if (bytes[start] !== FIELD_2 || !readField(bytes, start + 1, end, field)) return null;
    const data = bytes.subarray(field.start, field.end);
    if (bytes[field.end] !== FIELD_4 || !readField(bytes, field.end + 1, end, field) || field.end !== end) return null;
    const topic = topics.find(bytes, field);
    if (topic === undefined) return null;
    messages.push({ topic, data });
    at = end;
  }
  return messages.length === 0 ? null : { subscriptions: [], messages };
}

export const plainRpcs: Cure = {
  name: "plain_rpcs",
  install({ pubsub }) {
    const decodeRpc = pubsub.decodeRpc.bind(pubsub);
    const topics = new KnownTopics();
    pubsub.decodeRpc = (bytes) => {
      const plain = readPlainRpc(bytes, topics);
      if (plain !== null) return plain;
      const rpc = decodeRpc(bytes);
      const [first] = rpc.messages;
      // Only those that we have joined: strangers choose the others.
      if (first !== undefined && pubsub.subscriptions.has(first.topic)) topics.learn(first.topic);
      return rpc;
    };
  },
};
