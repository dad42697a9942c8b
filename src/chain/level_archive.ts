/** Finalized blocks on disk, so that a restarted node still serves them. */
import { ClassicLevel } from "classic-level";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { ArchivedBlock, BlockArchive } from "./archive.ts";
import type { RootHex } from "./root_hex.ts";

/** Ascending slots as ascending keys. */
const SLOT_DIGITS = 16;
const DIGEST_SIZE_BYTES = 4;
const ROOT_SIZE_BYTES = 32;

/** `s<slot>` holds digest ‖ root ‖ SSZ; `r<root>` holds the slot. Grows with the chain, and is never read whole. */
export class LevelArchive implements BlockArchive {
  readonly earliestSlot = 0;
  private readonly db: ClassicLevel<string, Uint8Array>;

  private constructor(db: ClassicLevel<string, Uint8Array>) {
    this.db = db;
  }

  /** Throws `ARCHIVE_UNAVAILABLE`: locked by another process, damaged, or not writable. */
  static async open(path: string): Promise<LevelArchive> {
    const db = new ClassicLevel<string, Uint8Array>(path, { keyEncoding: "utf8", valueEncoding: "view" });
    try {
      await db.open();
    } catch (error) {
      throw new CodedError(
        "ARCHIVE_UNAVAILABLE",
        `Cannot open the block archive in ${path} (${errorMessage(error)}): is another node running on it, or the disk full?`,
        { path },
        error,
      );
    }
    return new LevelArchive(db);
  }

  close(): Promise<void> {
    return this.db.close();
  }

  async put(blocks: ArchivedBlock[]): Promise<void> {
    await this.db.batch(
      blocks.flatMap(({ forkDigest, root, slot, ssz }) => [
        {
          type: "put" as const,
          key: slotKey(slot),
          value: Buffer.concat([Buffer.from(forkDigest, "hex"), Buffer.from(root.slice(2), "hex"), ssz]),
        },
        { type: "put" as const, key: `r${root}`, value: Buffer.from(String(slot)) },
      ]),
    );
  }

  async getByRoot(root: RootHex): Promise<ArchivedBlock | null> {
    const slot = await this.db.get(`r${root}`);
    return slot === undefined ? null : this.getBySlot(Number(Buffer.from(slot).toString()));
  }

  async getBySlot(slot: number): Promise<ArchivedBlock | null> {
    const value = await this.db.get(slotKey(slot));
    return value === undefined ? null : toArchivedBlock(slot, value);
  }

  async *range(startSlot: number, endSlot: number): AsyncGenerator<ArchivedBlock> {
    for await (const [key, value] of this.db.iterator({ gte: slotKey(startSlot), lt: slotKey(endSlot) })) {
      yield toArchivedBlock(Number(key.slice(1)), value);
    }
  }
}

function slotKey(slot: number): string {
  return `s${String(slot).padStart(SLOT_DIGITS, "0")}`;
}

function toArchivedBlock(slot: number, value: Uint8Array): ArchivedBlock {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const ssz = DIGEST_SIZE_BYTES + ROOT_SIZE_BYTES;
  return {
    slot,
    forkDigest: bytes.toString("hex", 0, DIGEST_SIZE_BYTES),
    root: `0x${bytes.toString("hex", DIGEST_SIZE_BYTES, ssz)}`,
    ssz: new Uint8Array(value.buffer, value.byteOffset + ssz, value.byteLength - ssz),
  };
}
