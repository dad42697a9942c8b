/** Server-sent events, for a bounded number of listeners with bounded buffers. */
import type { ServerResponse } from "node:http";
import type { CancelTimer, Clock } from "../base/clock.ts";

/** Streams open at once: each costs a socket and its buffer. Who comes later is told 503. */
export const MAX_EVENT_STREAMS = 64;

/** Bytes that a slow reader may leave unread, some 350 exits; beyond, its stream is cut and it may come again. */
export const MAX_UNREAD_BYTES = 1024 * 1024;

/** Comments in between keep proxies from closing a quiet stream, and find readers that are gone. */
const KEEP_ALIVE_MS = 15_000;

interface Stream<Topic> {
  readonly response: ServerResponse;
  readonly topics: ReadonlySet<Topic>;
}

export interface ServerSentEvent<Topic> {
  readonly topic: Topic;
  /** One line. */
  readonly data: string;
  /** What a client that comes again says it has seen last. */
  readonly id?: string;
}

export class ServerSentEvents<Topic extends string> {
  readonly #streams = new Set<Stream<Topic>>();
  readonly #stopKeepAlive: CancelTimer;

  constructor(clock: Clock) {
    this.#stopKeepAlive = clock.every(KEEP_ALIVE_MS, () => {
      for (const stream of this.#streams) write(stream, ":\n\n");
    });
  }

  get full(): boolean {
    return this.#streams.size >= MAX_EVENT_STREAMS;
  }

  get isHeard(): boolean {
    return this.#streams.size > 0;
  }

  /** Turns the response into a stream of these topics, after `first`. The caller has looked at `full`. */
  open(response: ServerResponse, topics: ReadonlySet<Topic>, first: Iterable<ServerSentEvent<Topic>> = []): void {
    const stream = { response, topics };
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      // nginx would hold events back until its buffer is full.
      "x-accel-buffering": "no",
    });
    // A comment at once, so that the client sees the stream open before the first event.
    response.write(":\n\n");
    for (const event of first) response.write(eventText(event));
    response.on("close", () => this.#streams.delete(stream));
    response.on("error", () => response.destroy());
    this.#streams.add(stream);
  }

  /** `data` is made where somebody listens. */
  sendTo(topic: Topic, data: () => string, id?: string): void {
    let text: string | undefined;
    for (const stream of this.#streams) {
      if (!stream.topics.has(topic)) continue;
      text ??= eventText({ topic, data: data(), ...(id !== undefined && { id }) });
      write(stream, text);
    }
  }

  close(): void {
    this.#stopKeepAlive();
    for (const { response } of this.#streams) response.end();
    this.#streams.clear();
  }
}

function eventText<Topic extends string>({ topic, data, id }: ServerSentEvent<Topic>): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${topic}\ndata: ${data}\n\n`;
}

function write({ response }: Stream<unknown>, text: string): void {
  response.write(text);
  if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
}
