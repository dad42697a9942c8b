/** A process that keeps appending to the journal of a directory until it is killed, or who started it has gone. */
import { silentLogger } from "../../src/base/log.ts";
import { PoolJournal } from "../../src/pool/journal.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";

/** Where nobody kills it. */
const MAX_RECORDS = 20_000;

process.stdin.resume().on("close", () => process.exit(1));
// Its reader has gone with the test run.
process.stdout.on("error", () => process.exit(1));

const { journal } = PoolJournal.open(process.argv[2] ?? "", silentLogger);
const nothing = { size: MAX_RECORDS, records: () => [] };
for (let n = 0; n < MAX_RECORDS; n++) {
  const ssz = new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES).fill(n & 0xff);
  new DataView(ssz.buffer).setUint32(0, n);
  journal.append({ ssz, isLocal: n % 2 === 0 }, nothing);
  // The reader counts on every exit that it was told of.
  await new Promise((told) => process.stdout.write(`${n}\n`, told));
}
process.exit();
