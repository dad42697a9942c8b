/**
 * Trace lines as whole numbers, for what happens by the thousand a second: a node that is measured must neither spend its
 * time on making text nor have it swept up. Lines are made of them when the run is over.
 *
 * A record is 32-bit words: how many, its kind, the time as seconds and microseconds, then what its kind has. An RPC has
 * node, bytes, a bit for each list that is not empty, those lists in the order of `LISTS`, each behind its length, and the
 * peers, a line each: what goes to many is one record.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Names } from "./names.ts";

/** `text`: a line that was put together where it happened, since it is rare or holds names; a word a character. */
const KINDS = ["text", "recv", "send", "drop", "duplicate", "deliver"] as const;
type Kind = (typeof KINDS)[number];
export type RpcKind = "recv" | "send" | "drop";
const WORD_OF = Object.fromEntries(KINDS.map((kind, word) => [kind, word])) as Readonly<Record<Kind, number>>;

/** As a line has them. An entry of `ihave` is a topic, how many ids, and the ids; of `iwant` and `idontwant` the last two. */
const LISTS = ["m", "sub", "unsub", "ihave", "iwant", "graft", "prune", "idontwant"] as const;
type List = (typeof LISTS)[number];
const BIT_OF = Object.fromEntries(LISTS.map((list, bit) => [list, 1 << bit])) as Readonly<Record<List, number>>;

const NO_DATA = new Uint8Array();
const HEAD_WORDS = 4;
const US_PER_S = 1_000_000;
/** Of what is not a long list. */
const FIRST_WORDS = 64;

/** The first `length` of `words`: until the next one is made there. */
export interface TraceRecord {
  readonly words: Int32Array;
  readonly length: number;
}

/** Makes one record at a time. */
export class RecordBuilder {
  readonly #names: Names;
  #words = new Int32Array(FIRST_WORDS);
  #length = 0;

  constructor(names: Names) {
    this.#names = names;
  }

  get words(): Int32Array {
    return this.#words;
  }

  get length(): number {
    return this.#length;
  }

  /** @param fields of the line, after its time; Latin-1. */
  text(fields: string): this {
    this.#begin("text");
    for (let i = 0; i < fields.length; i++) this.#push(fields.charCodeAt(i));
    return this;
  }

  duplicate(node: number, peer: number, message: number): this {
    this.#begin("duplicate");
    this.#push(node);
    this.#push(peer);
    this.#push(message);
    return this;
  }

  /** @param verdictUs what the verdict took. */
  deliver(node: number, peer: number, message: number, verdictUs: number): this {
    this.#begin("deliver");
    this.#push(node);
    this.#push(peer);
    this.#push(message);
    this.#push(verdictUs);
    return this;
  }

  /** To be followed by a `peer`, or several. @param bytes with the length prefix. */
  rpc(kind: RpcKind, node: number, bytes: number, { messages, subscriptions, control }: RPC): this {
    this.#begin(kind);
    this.#push(node);
    this.#push(bytes);
    const bitsAt = this.#length;
    this.#push(0);
    let bits = 0;
    if (messages.length > 0) {
      bits |= BIT_OF.m;
      this.#push(messages.length);
      for (const { topic, data } of messages) this.#push(this.#names.messageOf(topic, data ?? NO_DATA));
    }
    if (subscriptions.length > 0) {
      if (this.#subscriptions(subscriptions, true)) bits |= BIT_OF.sub;
      if (this.#subscriptions(subscriptions, false)) bits |= BIT_OF.unsub;
    }
    if (control !== undefined && control !== null) bits |= this.#control(control);
    this.#words[bitsAt] = bits;
    return this;
  }

  /** That the RPC came from, or went to. */
  peer(peer: number): this {
    this.#push(peer);
    return this;
  }

  end(tUs: number): TraceRecord {
    this.#words[0] = this.#length;
    const seconds = Math.floor(tUs / US_PER_S);
    this.#words[2] = seconds;
    this.#words[3] = tUs - seconds * US_PER_S;
    return this;
  }

  #begin(kind: Kind): void {
    this.#words[1] = WORD_OF[kind];
    this.#length = HEAD_WORDS;
  }

  #push(word: number): void {
    if (this.#length === this.#words.length) {
      const longer = new Int32Array(2 * this.#length);
      longer.set(this.#words);
      this.#words = longer;
    }
    this.#words[this.#length++] = word;
  }

  /** False where there are none on topics that are traced. */
  #subscriptions(subscriptions: RPC["subscriptions"], subscribe: boolean): boolean {
    const countAt = this.#length;
    this.#push(0);
    for (const entry of subscriptions) {
      const topic = this.#names.topic(entry.topic ?? "");
      if ((entry.subscribe === true) === subscribe && topic >= 0) this.#push(topic);
    }
    const count = this.#length - countAt - 1;
    this.#words[countAt] = count;
    if (count === 0) this.#length = countAt;
    return count > 0;
  }

  #control({ ihave, iwant, graft, prune, idontwant }: RPC.ControlMessage): number {
    let bits = 0;
    if (ihave?.length > 0) {
      bits |= BIT_OF.ihave;
      this.#push(ihave.length);
      for (const { topicID, messageIDs } of ihave) {
        const topic = this.#names.topic(topicID ?? "");
        this.#push(topic);
        this.#ids(messageIDs, topic);
      }
    }
    if (iwant?.length > 0) {
      bits |= BIT_OF.iwant;
      this.#push(iwant.length);
      for (const { messageIDs } of iwant) this.#ids(messageIDs, -1);
    }
    for (const [list, entries] of [
      ["graft", graft],
      ["prune", prune],
    ] as const) {
      if (!(entries?.length > 0)) continue;
      bits |= BIT_OF[list];
      this.#push(entries.length);
      for (const { topicID } of entries) this.#push(this.#names.topic(topicID ?? ""));
    }
    if (idontwant?.length > 0) {
      bits |= BIT_OF.idontwant;
      this.#push(idontwant.length);
      for (const { messageIDs } of idontwant) this.#ids(messageIDs, -1);
    }
    return bits;
  }

  #ids(messageIDs: readonly Uint8Array[], topic: number): void {
    this.#push(messageIDs.length);
    for (const id of messageIDs) this.#push(this.#names.messageOfId(id, topic));
  }
}

/** How many words the record has that begins there; null where they are not all there yet. */
export function recordLength(words: Int32Array, at: number): number | null {
  const length = words[at];
  return length === undefined || at + length > words.length ? null : length;
}

/** Microseconds. */
export function recordTime(words: Int32Array, at: number): number {
  return (words[at + 2] as number) * US_PER_S + (words[at + 3] as number);
}

/** Without newlines. */
export function recordLines(words: Int32Array, at: number): string[] {
  const kind = KINDS[words[at + 1] as number] as Kind;
  const body = words.subarray(at + HEAD_WORDS, at + (words[at] as number));
  const fields = kind === "text" ? [Buffer.from(body).toString("latin1")] : fieldsOf(kind, body);
  return fields.map((one) => `{"t":${recordTime(words, at)},${one}}`);
}

/** Of each line. */
function fieldsOf(kind: Exclude<Kind, "text">, body: Int32Array): string[] {
  let at = 0;
  const next = () => body[at++] as number;
  const list = (entry: () => unknown = next) => `[${Array.from({ length: next() }, entry)}]`;
  const head = `"e":"${kind}","n":${next()}`;
  if (kind === "duplicate") return [`${head},"p":${next()},"m":${next()}`];
  if (kind === "deliver") return [`${head},"p":${next()},"m":${next()},"v":${next()}`];
  let fields = `"b":${next()}`;
  const bits = next();
  for (const name of LISTS) {
    if ((bits & BIT_OF[name]) === 0) continue;
    if (name === "ihave") fields += `,"ihave":${list(() => `[${next()},${list()}]`)}`;
    else if (name === "iwant" || name === "idontwant") fields += `,"${name}":${list(() => list())}`;
    else fields += `,"${name}":${list()}`;
  }
  return Array.from(body.subarray(at), (peer) => `${head},"p":${peer},${fields}`);
}
