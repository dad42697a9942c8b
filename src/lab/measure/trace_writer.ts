import { createWriteStream, type WriteStream } from "node:fs";

/** Lines are gathered to this size before they go to the system. */
const CHUNK_CHARS = 64 * 1024;
/** What may wait for a slow disk; beyond it lines are dropped and counted. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** Appends lines to a file without ever holding up the caller. */
export class TraceWriter {
  readonly #stream: WriteStream;
  #buffer = "";
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

  /** @param line without its newline. */
  write(line: string): void {
    this.#buffer += `${line}\n`;
    if (this.#buffer.length >= CHUNK_CHARS) this.flush();
  }

  flush(): void {
    const chunk = this.#buffer;
    this.#buffer = "";
    if (chunk === "") return;
    if (this.#error !== null || this.#stream.writableLength > MAX_WAITING_BYTES)
      this.#lost += chunk.split("\n").length - 1;
    else this.#stream.write(chunk, "latin1");
  }

  /** Rejects where the file could not be written. */
  async close(): Promise<void> {
    this.flush();
    if (this.#error === null) await new Promise<void>((resolve) => this.#stream.end(resolve));
    if (this.#error !== null) throw this.#error;
  }
}
