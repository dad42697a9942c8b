/** `/eth/v1/events`: server-sent events, for a bounded number of listeners with bounded buffers. */
import type { ServerResponse } from "node:http";
import { toHex } from "@lodestar/utils";
import type { CancelTimer, Clock } from "../base/clock.ts";
import { TriggeredExit } from "../spec/types.ts";
import type { ApiEvent } from "./backend.ts";
import { triggeredExitText } from "./triggered_exit_json.ts";

export const EVENT_TOPICS = ["triggered_exit", "block", "head", "finalized_checkpoint"] as const;
export type EventTopic = (typeof EVENT_TOPICS)[number];

/** Streams open at once: each costs a socket and its buffer. Who comes later is told 503. */
export const MAX_EVENT_STREAMS = 64;

/** Bytes that a slow reader may leave unread, some 350 exits; beyond, its stream is cut and it may come again. */
export const MAX_UNREAD_BYTES = 1024 * 1024;

/** Comments in between keep proxies from closing a quiet stream, and find readers that are gone. */
const KEEP_ALIVE_MS = 15_000;

interface Stream {
  readonly response: ServerResponse;
  readonly topics: ReadonlySet<EventTopic>;
}

export function isEventTopic(topic: string): topic is EventTopic {
  return (EVENT_TOPICS as readonly string[]).includes(topic);
}

export class EventStreams {
  readonly #streams = new Set<Stream>();
  readonly #stopKeepAlive: CancelTimer;

  constructor(clock: Clock) {
    this.#stopKeepAlive = clock.every(KEEP_ALIVE_MS, () => {
      for (const stream of this.#streams) write(stream, ":\n\n");
    });
  }

  get full(): boolean {
    return this.#streams.size >= MAX_EVENT_STREAMS;
  }

  /** Turns the response into a stream of these topics. The caller has looked at `full`. */
  open(response: ServerResponse, topics: ReadonlySet<EventTopic>): void {
    const stream = { response, topics };
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      // nginx would hold events back until its buffer is full.
      "x-accel-buffering": "no",
    });
    // A comment at once, so that the client sees the stream open before the first event.
    response.write(":\n\n");
    response.on("close", () => this.#streams.delete(stream));
    response.on("error", () => response.destroy());
    this.#streams.add(stream);
  }

  send(event: ApiEvent): void {
    let text: string | undefined;
    for (const stream of this.#streams) {
      if (!stream.topics.has(event.topic)) continue;
      text ??= `event: ${event.topic}\ndata: ${eventText(event)}\n\n`;
      write(stream, text);
    }
  }

  close(): void {
    this.#stopKeepAlive();
    for (const { response } of this.#streams) response.end();
    this.#streams.clear();
  }
}

function write({ response }: Stream, text: string): void {
  response.write(text);
  if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
}

function eventText(event: ApiEvent): string {
  if (event.topic === "triggered_exit") return triggeredExitText(TriggeredExit.serialize(event.triggeredExit));
  return JSON.stringify(eventJson(event));
}

function eventJson(event: Exclude<ApiEvent, { topic: "triggered_exit" }>): unknown {
  switch (event.topic) {
    case "block":
      return {
        slot: String(event.slot),
        block: toHex(event.block),
        execution_optimistic: event.executionOptimistic,
      };
    case "head":
      return {
        slot: String(event.slot),
        block: toHex(event.block),
        state: toHex(event.state),
        epoch_transition: event.epochTransition,
        previous_duty_dependent_root: toHex(event.previousDutyDependentRoot),
        current_duty_dependent_root: toHex(event.currentDutyDependentRoot),
        execution_optimistic: event.executionOptimistic,
      };
    case "finalized_checkpoint":
      return {
        block: toHex(event.block),
        state: toHex(event.state),
        epoch: String(event.epoch),
        execution_optimistic: event.executionOptimistic,
      };
  }
}
