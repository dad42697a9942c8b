/** Traces on disk: merged from the processes' parts, and read again line by line. */

import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { TRACE_VERSION, type TraceEvent, type TraceHeader } from "./trace.ts";

const WRITE_CHARS = 256 * 1024;

interface Source {
  readonly lines: AsyncIterator<string>;
  line: string;
  t: number;
}

/** Lines in order of time: of the parts, each in order itself, and `events`. */
export async function mergeTraces(
  header: TraceHeader,
  parts: readonly string[],
  events: readonly TraceEvent[],
  path: string,
): Promise<void> {
  const sources: Source[] = [];
  const own = [...events].sort((a, b) => a.t - b.t).map((event) => JSON.stringify(event));
  for (const lines of [...parts.map(linesOf), asynchronous(own)]) {
    const source = { lines, line: "", t: 0 };
    if (await advance(source)) sources.push(source);
  }
  const out = createWriteStream(path);
  // Rejects where the disk is full or the directory gone.
  const finished = once(out, "finish");
  let buffer = `${JSON.stringify(header)}\n`;
  while (sources.length > 0) {
    let [first] = sources as [Source];
    for (const source of sources) if (source.t < first.t) first = source;
    buffer += `${first.line}\n`;
    if (buffer.length > WRITE_CHARS) {
      if (!out.write(buffer)) await once(out, "drain");
      buffer = "";
    }
    if (!(await advance(first))) sources.splice(sources.indexOf(first), 1);
  }
  out.end(buffer);
  await finished;
}

function linesOf(path: string): AsyncIterator<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
}

async function* asynchronous(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

async function advance(source: Source): Promise<boolean> {
  const { done, value } = await source.lines.next();
  if (done === true) return false;
  source.line = value;
  source.t = timeOf(value);
  return true;
}

/** Each line begins with `{"t":` and a whole number. */
function timeOf(line: string): number {
  return Number(line.slice(5, line.indexOf(",", 5)));
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
