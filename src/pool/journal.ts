/**
 * The pool on disk, so that an exit that was taken in survives a crash: written before it is spread, judged again when it
 * is read. A record is a flag, the operation's SSZ and a checksum; a record that was cut off ends what is read.
 */
import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { CodedError, errorMessage } from "../base/errors.ts";
import { diskHint } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../spec/constants.ts";

const FILE = "triggered_exits.journal";
const RECORD_SIZE_BYTES = 1 + TRIGGERED_EXIT_SIZE_BYTES + 4;

/**
 * Records beyond twice the pool's size that the file may grow by before it is written anew: with a full pool it has at most
 * 38 MB. What the pool has dropped is left out then.
 */
const COMPACT_SLACK_RECORDS = 1_024;

export interface JournalRecord {
  /** The operation's 1132 bytes. */
  readonly ssz: Uint8Array;
  /** Submitted to this node. */
  readonly isLocal: boolean;
}

export class PoolJournal {
  readonly #path: string;
  readonly #log: Logger;
  /** Null once closed: its number may be another file's by then. */
  #file: number | null;
  #records: number;
  /** A write failed: half a record may stand at the end, and would hide all that came behind it. */
  #failed = false;

  private constructor(path: string, records: number, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#records = records;
    this.#file = openSync(path, "a");
  }

  /**
   * Opens the journal of a data directory, or begins one, and reads what it holds, oldest first.
   * @throws CodedError `DATA_DIR_UNUSABLE`.
   */
  static open(dataDir: string, log: Logger): { journal: PoolJournal; records: JournalRecord[] } {
    const path = join(dataDir, FILE);
    try {
      const records = readRecords(path);
      // What follows the last whole record would hide all that is appended behind it.
      rewrite(path, records);
      return { journal: new PoolJournal(path, records.length, log), records };
    } catch (error) {
      throw new CodedError(
        "DATA_DIR_UNUSABLE",
        `Cannot use ${path} (${errorMessage(error)}): ${diskHint(error)}`,
        { path },
        error,
      );
    }
  }

  /**
   * Writes a record through to the operating system, 15 µs: the end of this process does not lose it. A disk that refuses
   * is logged once, the pool goes on in memory, and the file is written anew with what it holds once the disk takes it.
   * @param pool what the pool holds, for writing the file anew when it has grown.
   */
  append(record: JournalRecord, pool: { readonly size: number; records(): Iterable<JournalRecord> }): void {
    if (this.#file === null) return;
    try {
      const isLong = this.#records > 2 * pool.size + COMPACT_SLACK_RECORDS;
      if (isLong || this.#failed) this.#file = this.#compact(this.#file, pool.records());
      const bytes = encode(record);
      if (writeSync(this.#file, bytes) < bytes.length) throw new Error("the disk took half a record");
      this.#records++;
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#log.warn({ path: this.#path, error: errorMessage(error) }, "the pool's journal fails");
      this.#failed = true;
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /** The file's new number. */
  #compact(file: number, pooled: Iterable<JournalRecord>): number {
    const records = [...pooled];
    rewrite(this.#path, records);
    const rewritten = openSync(this.#path, "a");
    closeSync(file);
    this.#records = records.length;
    return rewritten;
  }
}

function encode({ ssz, isLocal }: JournalRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(RECORD_SIZE_BYTES);
  bytes[0] = isLocal ? 1 : 0;
  bytes.set(ssz, 1);
  const end = RECORD_SIZE_BYTES - 4;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

function readRecords(path: string): JournalRecord[] {
  const bytes = readIfThere(path);
  const records: JournalRecord[] = [];
  for (let at = 0; at + RECORD_SIZE_BYTES <= bytes.length; at += RECORD_SIZE_BYTES) {
    const end = at + RECORD_SIZE_BYTES - 4;
    if (crc32(bytes.subarray(at, end)) !== bytes.readUInt32LE(end)) break;
    records.push({ ssz: new Uint8Array(bytes.subarray(at + 1, end)), isLocal: bytes[at] === 1 });
  }
  return records;
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** At once or not at all. */
function rewrite(path: string, records: readonly JournalRecord[]): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, Buffer.concat(records.map(encode)), { flush: true });
  renameSync(temporary, path);
}
