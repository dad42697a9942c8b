/** Appends more than the disk takes, to a journal whose pool is small; run under a limit on the size of files. */
import { silentLogger } from "../../src/base/log.ts";
import { type JournalRecord, PoolJournal } from "../../src/pool/journal.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";

const RECORDS = 20;
const POOLED = 2;

const records = Array.from({ length: RECORDS }, (_, n): JournalRecord => {
  return { ssz: new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES).fill(n), isLocal: false };
});
const { journal } = PoolJournal.open(process.argv[2] ?? "", silentLogger);
for (const [n, record] of records.entries()) {
  const pooled = records.slice(Math.max(0, n + 1 - POOLED), n + 1);
  journal.append(record, { size: POOLED, records: () => pooled });
}
journal.close();
