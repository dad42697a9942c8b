import { createWriteStream, type WriteStream } from "node:fs";
import { recordLines, type TraceRecord } from "./trace_records.ts";

/** What may wait for a slow disk; beyond it chunks are dropped and their events counted. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const CHUNK_WORDS = 64 * 1024;
const CHUNK_CHARS = 64 * 1024;

/** Where a tracer's records go; each is read before `take` returns. */
export interface TraceSink {
  take(record: TraceRecord): void;
}

/** Appends chunks to a file without ever holding up the caller. */
class TraceFile {
  readonly #stream: WriteStream;
  #lost = 0;
  #error: Error | null = null;

  constructor(path: string) {
    this.#stream = createWriteStream(path);
    this.#stream.on("error", (error) => {
      this.#error = error;
    });
  }

  get lost(): number {
    return this.#lost;
  }

  append(chunk: Uint8Array | string, events: number): void {
    if (this.#error !== null || this.#stream.writableLength > MAX_WAITING_BYTES) this.#lost += events;
    else this.#stream.write(chunk, "latin1");
  }

  /** Rejects where the file could not be written. */
  async close(): Promise<void> {
    if (this.#error === null) await new Promise<void>((resolve) => this.#stream.end(resolve));
    if (this.#error !== null) throw this.#error;
  }
}

/** Keeps records as they are, for `mergeTraces`: in a process that is measured. */
export class RecordWriter implements TraceSink {
  readonly #file: TraceFile;
  #chunk = new Int32Array(CHUNK_WORDS);
  #length = 0;
  #events = 0;

  constructor(path: string) {
    this.#file = new TraceFile(path);
  }

  /** Records that were dropped. */
  get lost(): number {
    return this.#file.lost;
  }

  take({ words, length }: TraceRecord): void {
    if (this.#length + length > this.#chunk.length) this.#flush(length);
    const chunk = this.#chunk;
    // Most have some ten words: a view of them for `set` would cost more than all of this.
    for (let i = 0, at = this.#length; i < length; i++) chunk[at++] = words[i] as number;
    this.#length += length;
    this.#events++;
  }

  /** @param words that the next chunk must hold at least. */
  #flush(words: number): void {
    const { buffer } = this.#chunk;
    if (this.#length > 0) this.#file.append(new Uint8Array(buffer, 0, 4 * this.#length), this.#events);
    this.#chunk = new Int32Array(Math.max(CHUNK_WORDS, words));
    this.#length = 0;
    this.#events = 0;
  }

  /** Rejects where the file could not be written. */
  async close(): Promise<void> {
    this.#flush(0);
    await this.#file.close();
  }
}

/** Writes records as lines at once: what has been seen stays readable whatever ends the process. */
export class LineWriter implements TraceSink {
  readonly #file: TraceFile;
  #buffer = "";
  #events = 0;

  constructor(path: string) {
    this.#file = new TraceFile(path);
  }

  take({ words }: TraceRecord): void {
    for (const line of recordLines(words, 0)) this.write(line);
  }

  /** @param line without its newline. */
  write(line: string): void {
    this.#buffer += `${line}\n`;
    this.#events++;
    if (this.#buffer.length >= CHUNK_CHARS) this.#flush();
  }

  #flush(): void {
    if (this.#buffer !== "") this.#file.append(this.#buffer, this.#events);
    this.#buffer = "";
    this.#events = 0;
  }

  /** Rejects where the file could not be written. */
  async close(): Promise<void> {
    this.#flush();
    await this.#file.close();
  }
}
