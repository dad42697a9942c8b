/** Traces as other tools read them. */

import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../../../base/files.ts";
import { INTEROP_DIR, RUN_FILES, unwritable } from "../run_dir.ts";
import { readTrace, type TraceReading } from "../trace_file.ts";
import { TraceNames } from "../trace_names.ts";
import { interopHead, interopLines } from "./interop.ts";
import { pubsubLines } from "./pubsub.ts";
import { writeProtobuf } from "./pubsub_protobuf.ts";

export const TRACE_FORMATS = ["pubsub", "interop"] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/**
 * Writes a run's trace again beside it. `pubsub`: `trace.pubsub.ndjson`, and the same in protobuf, `trace.pubsub.pb.gz`;
 * `interop`: `interop/node<i>.ndjson`, one file a node as that suite has it. Throws a `CodedError`: `OUT_UNWRITABLE`, and those
 * of `readTrace`.
 */
export async function convertTrace(tracePath: string, format: TraceFormat, outDir: string): Promise<void> {
  const trace = await readTrace(tracePath);
  try {
    if (format === "pubsub") await writePubsub(trace, join(outDir, RUN_FILES.pubsub), join(outDir, RUN_FILES.protobuf));
    else await writeInterop(trace, join(outDir, INTEROP_DIR));
  } catch (error) {
    throw unwritable(outDir, error);
  }
}

async function writePubsub({ header, events }: TraceReading, jsonPath: string, protobufPath: string): Promise<void> {
  const names = new TraceNames(header);
  const file = new TextFile(jsonPath);
  for await (const event of events) {
    names.take(event);
    await file.write(pubsubLines(event, names));
  }
  await file.close();
  await writeProtobuf(jsonPath, protobufPath);
}

async function writeInterop({ header, events }: TraceReading, dir: string): Promise<void> {
  const names = new TraceNames(header);
  await makeDirectory(dir);
  const files = header.nodes.map((_, node) => new TextFile(join(dir, `node${node}.ndjson`)));
  for (const [node, file] of files.entries()) await file.write(interopHead(names, node));
  for await (const event of events) {
    names.take(event);
    if ("n" in event) await files[event.n]?.write(interopLines(event, names));
  }
  for (const file of files) await file.close();
}

/** A file that is written in order; an error of its disk comes out of the next call. */
class TextFile {
  readonly #stream: WriteStream;
  #error: Error | null = null;

  constructor(path: string) {
    this.#stream = createWriteStream(path);
    this.#stream.on("error", (error) => {
      this.#error = error;
    });
  }

  async write(text: string): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (text !== "" && !this.#stream.write(text)) await once(this.#stream, "drain");
  }

  async close(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    await once(this.#stream.end(), "finish");
  }
}
