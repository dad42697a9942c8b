/** `npm run fuzz:ssz -- --seconds N [--seed N]`: the totality fuzzer for as long as asked. Exits with 1 on a finding. */
import { parseArgs } from "node:util";

// Read at import by the libraries below.
process.env.LODESTAR_PRESET ??= "minimal";
const { SszFuzzer } = await import("./ssz_fuzzer.ts");

const { values } = parseArgs({ options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } } });
const seconds = readNumber("seconds", values.seconds);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : readNumber("seed", values.seed);
process.stdout.write(`seed ${seed}, ${seconds} s\n`);

const fuzzer = new SszFuzzer(seed);
const endMs = performance.now() + seconds * 1000;
while (performance.now() < endMs) fuzzer.step();

process.stdout.write(`${fuzzer.cases} cases\n`);
for (const [code, count] of [...fuzzer.codes].sort(([a], [b]) => a.localeCompare(b))) {
  process.stdout.write(`  ${code.padEnd(32)} ${count}\n`);
}

function readNumber(name: string, value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw new Error(`--${name} must be a whole number, not "${value}"`);
  return Number(value);
}
