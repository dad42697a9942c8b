import { expect, test } from "vitest";
import { SszFuzzer } from "./ssz_fuzzer.ts";

const SECONDS = 3;

/** What seconds of fuzzing come across: a mutation that no longer hits anything would show here. */
const REACHED = ["VALID", "BAD_SNAPPY", "WRONG_LENGTH", "BAD_COUNT", "INDEX_OUT_OF_RANGE", "UNKNOWN_VALIDATOR"].concat(
  ["NO_EXECUTION_ADDRESS", "WRONG_SENDER", "EXIT_INITIATED", "TOO_YOUNG", "PENDING_WITHDRAWAL", "UNKNOWN_ROOT"],
  ["FORGED_PROOF", "ROOT_EXPIRED", "NOT_SYNCED", "ALREADY_SEEN"],
);

test("totality: any bytes on any reachable state end in a closed code, and change nothing", () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  process.stdout.write(`fuzz:ssz seed ${seed} (FUZZ_SEED=${seed} repeats it)\n`);
  const fuzzer = new SszFuzzer(seed);
  const endMs = performance.now() + SECONDS * 1000;
  while (performance.now() < endMs) fuzzer.step();
  expect(REACHED.filter((code) => !fuzzer.codes.has(`verdict ${code}`))).toEqual([]);
}, 60_000);
