/** Traces as other tools read them. */

import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../../../base/files.ts";
import type { TraceEvent, TraceHeader } from "../trace.ts";
import { readTrace } from "../trace_file.ts";
import { interopHead, interopLines } from "./interop.ts";
import { pubsubLines } from "./pubsub.ts";

export const TRACE_FORMATS = ["pubsub", "interop"] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

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

/**
 * Writes a run's trace again beside it: `trace.pubsub.ndjson`, or `interop/node<i>.ndjson`, one file a node as that suite
 * has it. Resolves to the path. Throws a `CodedError` of `readTrace`.
 */
export async function convertTrace(tracePath: string, format: TraceFormat, outDir: string): Promise<string> {
  const { header, events } = await readTrace(tracePath);
  const names = new TraceNames(header);
  const path = join(outDir, format === "pubsub" ? "trace.pubsub.ndjson" : "interop");
  if (format === "interop") await makeDirectory(path);
  const files = new Map<number, WriteStream>();
  const fileOf = (node: number): WriteStream => {
    const key = format === "pubsub" ? 0 : node;
    const known = files.get(key);
    if (known !== undefined) return known;
    const file = createWriteStream(format === "pubsub" ? path : join(path, `node${node}.ndjson`));
    files.set(key, file);
    return file;
  };
  if (format === "interop") {
    for (const node of header.nodes.keys()) fileOf(node).write(interopHead(names, node));
  }
  const lines = format === "pubsub" ? pubsubLines : interopLines;
  for await (const event of events) {
    names.take(event);
    const text = lines(event, names);
    if (text === "" || !("n" in event)) continue;
    const file = fileOf(event.n);
    if (!file.write(text)) await once(file, "drain");
  }
  await Promise.all([...files.values()].map((file) => once(file.end(), "finish")));
  return path;
}
