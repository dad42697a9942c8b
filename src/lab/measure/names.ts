/** Indices for what traces name by the million: peers, messages, topics. */
import { computeMessageId, messageIdToString } from "../../network/message_id.ts";
import { parseTopic, topicProfile } from "../../network/topics.ts";

/** Names met on the way, of an observed network or of attackers; what comes on top shares the index -1. Protects memory. */
const MAX_NAMES = 1_000_000;
/** Bytes at the end of a message, or of its id, that tell the ones known beforehand apart, as a number below 2^48. */
const TAIL_BYTES = 6;

export interface KnownMessage {
  readonly id: string;
  readonly wireData: Uint8Array;
}

/** `topic`: of a message, -1 where it is not known. */
export type OnNewName = (kind: "message" | "peer", index: number, id: string, topic: number) => void;

export class Names {
  readonly #peers: Map<string, number>;
  readonly #topics: Map<string, number>;
  readonly #messages = new Map<string, number>();
  readonly #tails = new Map<number, number>();
  readonly #idTails = new Map<number, number>();
  readonly #onNew: OnNewName;
  readonly #offset: number;

  /** @param process new names of each have indices of their own. */
  constructor(
    known: { topics: readonly string[]; peers: readonly string[]; messages: readonly KnownMessage[] },
    onNew: OnNewName,
    process = 0,
  ) {
    this.#topics = new Map(known.topics.map((topic, index) => [topic, index]));
    this.#peers = new Map(known.peers.map((peer, index) => [peer, index]));
    for (const [index, { id, wireData }] of known.messages.entries()) {
      this.#messages.set(id, index);
      this.#tails.set(tailOf(wireData), index);
      this.#idTails.set(tailOf(Buffer.from(id, "hex")), index);
    }
    if (Math.min(this.#tails.size, this.#idTails.size) < known.messages.length)
      throw new Error("two messages end in the same bytes");
    this.#onNew = onNew;
    this.#offset = process * MAX_NAMES;
  }

  /** Whether it is one of those known beforehand, by the bytes at its end. */
  isKnown(wireData: Uint8Array): boolean {
    return this.#tails.has(tailOf(wireData));
  }

  /** -1: a topic that is not traced. */
  topic(topic: string): number {
    return this.#topics.get(topic) ?? -1;
  }

  peer(id: string): number {
    return this.#peers.get(id) ?? this.#add("peer", this.#peers, id, -1);
  }

  /** @param topic its index; -1 where it is not known. */
  message(id: string, topic: number): number {
    return this.#messages.get(id) ?? this.#add("message", this.#messages, id, topic);
  }

  /** By the bytes of its id; known ones cost no string: IHAVEs name each message some tens of times. */
  messageOfId(id: Uint8Array, topic: number): number {
    return this.#idTails.get(tailOf(id)) ?? this.message(messageIdToString(id), topic);
  }

  /** By its data; known ones cost no hash. */
  messageOf(topic: string, wireData: Uint8Array): number {
    const known = this.#tails.get(tailOf(wireData));
    if (known !== undefined) return known;
    const parsed = parseTopic(topic);
    const maxSizeBytes = parsed === null ? 0 : topicProfile(parsed.name).maxSizeBytes;
    return this.message(messageIdToString(computeMessageId(topic, wireData, maxSizeBytes)), this.topic(topic));
  }

  #add(kind: "message" | "peer", names: Map<string, number>, id: string, topic: number): number {
    if (names.size >= MAX_NAMES) return -1;
    const index = this.#offset + names.size;
    names.set(id, index);
    this.#onNew(kind, index, id, topic);
    return index;
  }
}

function tailOf(wireData: Uint8Array): number {
  let tail = 0;
  for (let i = Math.max(0, wireData.length - TAIL_BYTES); i < wireData.length; i++)
    tail = tail * 256 + (wireData[i] as number);
  return tail;
}

/** Of a trace line, after its time. */
export const newNameFields: (...name: Parameters<OnNewName>) => string = (kind, index, id, topic) =>
  `"e":"${kind}","i":${index},"id":"${id}"${kind === "message" ? `,"c":${topic}` : ""}`;
