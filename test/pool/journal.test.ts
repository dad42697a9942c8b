import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../src/base/log.ts";
import { type JournalRecord, PoolJournal } from "../../src/pool/journal.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";

const WRITER = fileURLToPath(new URL("journal_writer.ts", import.meta.url));
const FULL_DISK_WRITER = fileURLToPath(new URL("journal_on_full_disk.ts", import.meta.url));
const EMPTY_POOL = { size: 0, records: () => [] };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "msgbus-journal-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const file = () => join(dir, "triggered_exits.journal");

function recordOf(n: number): JournalRecord {
  return { ssz: new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES).fill(n), isLocal: n % 2 === 0 };
}

function write(...records: JournalRecord[]): void {
  const { journal } = PoolJournal.open(dir, silentLogger);
  for (const record of records) journal.append(record, EMPTY_POOL);
  journal.close();
}

function read(): JournalRecord[] {
  const { journal, records } = PoolJournal.open(dir, silentLogger);
  journal.close();
  return records;
}

describe("pool journal", () => {
  test("journal: gives back what was written, in order, over any number of restarts", () => {
    expect(read()).toEqual([]);
    write(recordOf(1), recordOf(2));
    write(recordOf(3));
    expect(read()).toEqual([recordOf(1), recordOf(2), recordOf(3)]);
  });

  test("journal: a record that was cut off, anywhere, is left out, and what comes later is not lost behind it", () => {
    write(recordOf(1), recordOf(2));
    const whole = statSync(file()).size / 2;
    for (const cutBytes of [1, 4, 5, 600, whole - 1]) {
      truncateSync(file(), 2 * whole - cutBytes);
      expect(read()).toEqual([recordOf(1)]);
      write(recordOf(2));
      expect(read()).toEqual([recordOf(1), recordOf(2)]);
    }
  });

  test("journal: a flipped bit ends what is read, and rubbish behind it does no harm", () => {
    write(recordOf(1), recordOf(2), recordOf(3));
    const bytes = readFileSync(file());
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file(), bytes);
    expect(read()).toEqual([recordOf(1)]);
    appendFileSync(file(), "rubbish");
    expect(read()).toEqual([recordOf(1)]);
  });

  test("journal: grows no further than twice the pool and some, and then holds what the pool holds", () => {
    const { journal } = PoolJournal.open(dir, silentLogger);
    const pool = { size: 2, records: () => [recordOf(8), recordOf(9)] };
    let largest = 0;
    for (let n = 0; n < 3000; n++) {
      journal.append(recordOf(n & 0xff), pool);
      largest = Math.max(largest, statSync(file()).size);
    }
    journal.close();
    expect(largest).toBeLessThanOrEqual(1137 * (2 * 2 + 1024 + 2));
    expect(read().slice(0, 2)).toEqual(pool.records());
  });

  test("journal: a directory that cannot be used is told of", () => {
    expect(() => PoolJournal.open(join(dir, "nowhere"), silentLogger)).toThrow(
      expect.objectContaining({ code: "DATA_DIR_UNUSABLE" }),
    );
  });

  test("journal: a disk that takes half a record hides nothing behind it", async () => {
    // 8 blocks of 512 bytes are three records and a half; the shell of some systems counts 1024 bytes.
    const limited = ["-c", 'ulimit -f 8 && exec "$0" "$@"', process.execPath, FULL_DISK_WRITER, dir];
    const child = spawn("sh", limited, { stdio: ["ignore", "inherit", "inherit"] });
    expect(await once(child, "exit")).toEqual([0, null]);
    const kept = read().map(({ ssz }) => ssz[0]);
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(kept).toContain(18);
    expect(kept.toSorted((a = 0, b = 0) => a - b)).toEqual(kept);
  });

  test("journal: kill -9 loses nothing that was written", async () => {
    const child = spawn(process.execPath, [WRITER, dir], { stdio: ["pipe", "pipe", "inherit"] });
    let told = -1;
    for await (const line of createInterface({ input: child.stdout })) {
      told = Number(line);
      if (told === 500) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    const records = read();
    expect(told).toBeGreaterThanOrEqual(500);
    expect(records.length).toBeGreaterThan(told);
    records.forEach(({ ssz, isLocal }, n) => {
      expect([new DataView(ssz.buffer).getUint32(0), isLocal]).toEqual([n, n % 2 === 0]);
    });
  });
});
