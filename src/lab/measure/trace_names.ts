import type { TraceEvent, TraceHeader } from "./trace.ts";

/** What indices of a trace mean, as far as it has been read. */
export class TraceNames {
  readonly header: TraceHeader;
  readonly #peers: string[];
  readonly #messages: string[];
  readonly #topicOf = new Map<number, number>();

  constructor(header: TraceHeader) {
    this.header = header;
    this.#peers = [...header.nodes];
    this.#messages = [...header.messages];
  }

  take(event: TraceEvent): void {
    if (event.e === "peer") this.#peers[event.i] = event.id;
    if (event.e !== "message") return;
    this.#messages[event.i] = event.id;
    this.#topicOf.set(event.i, event.c);
  }

  /** Peer id; empty where the trace has no name for it. */
  peer(index: number): string {
    return this.#peers[index] ?? "";
  }

  /** Hex; empty where the trace has no name for it. */
  message(index: number): string {
    return this.#messages[index] ?? "";
  }

  topic(index: number): string {
    return this.header.topics[index] ?? "";
  }

  topicOf(message: number): string {
    return this.topic(this.#topicOf.get(message) ?? 0);
  }
}
