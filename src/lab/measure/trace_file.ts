/** Traces on disk: merged from the processes' parts, and read again line by line. */

import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { TRACE_VERSION, type TraceEvent, type TraceHeader } from "./trace.ts";
import { recordLength, recordLines, recordTime } from "./trace_records.ts";

const WRITE_CHARS = 256 * 1024;
const READ_BYTES = 256 * 1024;

/** A line and its time, in microseconds. */
interface TimedLine {
  readonly t: number;
  readonly line: string;
}

/**
 * Lines in order of time: of the parts, each in order itself, and `events`.
 * @param parts what a `RecordWriter` wrote; one that is cut off is read up to there.
 */
export async function mergeTraces(
  header: TraceHeader,
  parts: readonly string[],
  events: readonly TraceEvent[],
  path: string,
): Promise<void> {
  const own = [...events].sort((a, b) => a.t - b.t).map((event) => ({ t: event.t, line: JSON.stringify(event) }));
  const sources: { readonly lines: Iterator<TimedLine> | AsyncIterator<TimedLine>; head: TimedLine }[] = [];
  for (const lines of [...parts.map(partLines), own.values()]) {
    const { done, value } = await lines.next();
    if (done !== true) sources.push({ lines, head: value });
  }
  const out = createWriteStream(path);
  // Rejects where the disk is full or the directory gone.
  const finished = once(out, "finish");
  let buffer = `${JSON.stringify(header)}\n`;
  while (sources.length > 0) {
    let [first] = sources as [(typeof sources)[number]];
    for (const source of sources) if (source.head.t < first.head.t) first = source;
    buffer += `${first.head.line}\n`;
    if (buffer.length > WRITE_CHARS) {
      if (!out.write(buffer)) await once(out, "drain");
      buffer = "";
    }
    const { done, value } = await first.lines.next();
    if (done === true) sources.splice(sources.indexOf(first), 1);
    else first.head = value;
  }
  out.end(buffer);
  await finished;
}

async function* partLines(path: string): AsyncGenerator<TimedLine, undefined> {
  let rest = new Uint8Array();
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    const words = new Int32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
    let at = 0;
    for (let length = recordLength(words, at); length !== null; length = recordLength(words, at)) {
      const t = recordTime(words, at);
      for (const line of recordLines(words, at)) yield { t, line };
      at += length;
    }
    rest = bytes.subarray(4 * at);
  }
}

function linesOf(path: string): AsyncIterator<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
}

export interface TraceReading {
  readonly header: TraceHeader;
  readonly events: AsyncIterable<TraceEvent>;
  /** After the last event: the line at which the trace is broken or cut off, 1 for the first. */
  readonly brokenAtLine: () => number | null;
}

/** Reads up to the first line that is cut off or broken. Throws a `CodedError`: `TRACE_UNREADABLE`, `TRACE_INVALID`. */
export async function readTrace(path: string): Promise<TraceReading> {
  let brokenAt: number | null = null;
  let count = 0;
  const lines = linesOf(path);

  async function next(): Promise<unknown> {
    const { done, value } = await lines.next();
    if (done === true) return null;
    count++;
    try {
      return JSON.parse(value);
    } catch {
      brokenAt = count;
      return null;
    }
  }

  let header: unknown;
  try {
    header = await next();
  } catch (error) {
    throw new CodedError("TRACE_UNREADABLE", `Cannot read ${path}: ${errorMessage(error)}`, { path }, error);
  }
  if (!isHeader(header)) {
    throw new CodedError("TRACE_INVALID", `${path} is no trace of version ${TRACE_VERSION}: its first line says so`, {
      path,
    });
  }
  return {
    header,
    events: {
      async *[Symbol.asyncIterator]() {
        for (let event = await next(); event !== null; event = await next()) yield event as TraceEvent;
      },
    },
    brokenAtLine: () => brokenAt,
  };
}

function isHeader(value: unknown): value is TraceHeader {
  return (
    typeof value === "object" &&
    value !== null &&
    "e" in value &&
    value.e === "run" &&
    "version" in value &&
    value.version === TRACE_VERSION
  );
}
