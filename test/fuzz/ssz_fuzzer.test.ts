import { expect, test } from "vitest";
import { SszFuzzer } from "./ssz_fuzzer.ts";

const SECONDS = 3;
const PATIENCE_SECONDS = 60;

/** What seconds of fuzzing come across: a mutation that no longer hits anything would show here. */
const REACHED = ["VALID", "BAD_SNAPPY", "WRONG_LENGTH", "BAD_COUNT", "INDEX_OUT_OF_RANGE", "UNKNOWN_VALIDATOR"].concat(
  ["NO_EXECUTION_ADDRESS", "WRONG_SENDER", "EXIT_INITIATED", "TOO_YOUNG", "PENDING_WITHDRAWAL", "UNKNOWN_ROOT"],
  ["FORGED_PROOF", "ROOT_EXPIRED", "NOT_SYNCED", "ALREADY_SEEN"],
);

test("totality: any bytes on any reachable state end in a closed code, and change nothing", () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  process.stdout.write(`fuzz:ssz seed ${seed} (FUZZ_SEED=${seed} repeats it)\n`);
  const fuzzer = new SszFuzzer(seed);
  const missing = () => REACHED.filter((code) => !fuzzer.codes.has(`verdict ${code}`));
  const startMs = performance.now();
  const spentS = () => (performance.now() - startMs) / 1000;
  // A busy machine takes fewer steps a second, and the rarest code comes late.
  while (spentS() < SECONDS || (missing().length > 0 && spentS() < PATIENCE_SECONDS)) fuzzer.step();
  expect(missing()).toEqual([]);
}, 90_000);
