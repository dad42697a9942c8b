import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressSync, uncompressSync } from "snappy";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type CaseResult, runVectors } from "../../src/lab/vectors/run.ts";

const TREE = "test/vectors";
const MINIMAL = "minimal/message_bus";
const EXIT_SUITE = `${MINIMAL}/operations/triggered_exit/pyspec_tests`;

function countBy(results: CaseResult[], status: CaseResult["status"]): number {
  return results.filter((result) => result.status === status).length;
}

/** Each group's passed cases. */
function passedByGroup(results: CaseResult[]): Record<string, number> {
  const groups: Record<string, number> = {};
  for (const { group, status } of results) if (status === "passed") groups[group] = (groups[group] ?? 0) + 1;
  return groups;
}

describe("the shared vectors", () => {
  test("all pass, of every runner and both presets", { timeout: 120_000 }, async () => {
    const results = await runVectors({ root: TREE }, systemClock);
    const notPassed = results.filter(({ status }) => status !== "passed");
    expect(notPassed.map(({ path, status, reason }) => `${path} ${status}: ${reason}`)).toEqual([]);
    expect(passedByGroup(results)).toMatchObject({
      "fork/fork": 4,
      "networking/gossip_triggered_exit": 114,
      "networking/gossip_triggered_exit_with_contract": 12,
      "operations/execution_payload": 13,
      "operations/message_bus_root": 5,
      "operations/triggered_exit": 105,
      "operations/triggered_exits_batch": 14,
      "proof/is_valid_message_bus_proof": 25,
      "proof/message_bus": 3,
      "sanity/blocks": 13,
      "ssz_static/BeaconState": 6,
      "ssz_static/SignedBeaconBlock": 6,
      "ssz_static/TriggeredExit": 6,
    });
  });
});

describe("a tree that is not as it should be", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "msgbus-vectors-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** A copy of a shared case; the path of its directory. */
  function copyCase(path: string, as = path): string {
    cpSync(join(TREE, path), join(root, as), { recursive: true });
    return join(root, as);
  }

  /** Runs the tree beside one good case, which must pass whatever else is wrong. */
  async function failures(): Promise<CaseResult[]> {
    copyCase(`${EXIT_SUITE}/success_validator_zero`);
    const results = await runVectors({ root }, systemClock);
    expect(results.find(({ path }) => path.endsWith("success_validator_zero"))?.status).toBe("passed");
    expect(countBy(results, "passed")).toBe(1);
    return results.filter(({ status }) => status === "failed");
  }

  async function onlyFailure(): Promise<CaseResult> {
    const found = await failures();
    expect(found.length).toBe(1);
    return found[0] as CaseResult;
  }

  const recompress = (file: string, edit: (bytes: Buffer) => Uint8Array) =>
    writeFileSync(file, compressSync(edit(uncompressSync(readFileSync(file)) as Buffer)));

  test.each(["pre.ssz_snappy", "triggered_exit.ssz_snappy"])(
    "fails an invalid case whose %s is missing, corrupt or cut off",
    async (file) => {
      const missing = copyCase(`${EXIT_SUITE}/invalid_sender`, `${EXIT_SUITE}/missing`);
      rmSync(join(missing, file));
      const corrupt = copyCase(`${EXIT_SUITE}/invalid_sender`, `${EXIT_SUITE}/corrupt`);
      writeFileSync(join(corrupt, file), Buffer.alloc(100, 0xff));
      const halfWritten = copyCase(`${EXIT_SUITE}/invalid_sender`, `${EXIT_SUITE}/half_written`);
      truncateSync(join(halfWritten, file), 50);
      const empty = copyCase(`${EXIT_SUITE}/invalid_sender`, `${EXIT_SUITE}/empty`);
      truncateSync(join(empty, file), 0);
      const wrongLength = copyCase(`${EXIT_SUITE}/invalid_sender`, `${EXIT_SUITE}/wrong_length`);
      recompress(join(wrongLength, file), (bytes) => bytes.subarray(0, bytes.length - 1));
      const reasons = Object.fromEntries(
        (await failures()).map(({ path, reason }) => [path.split("/").at(-1), reason]),
      );
      expect(reasons).toEqual({
        missing: `${file} is missing`,
        corrupt: expect.stringContaining(`${file} is no snappy block`),
        half_written: expect.stringContaining(`${file} is no snappy block`),
        empty: expect.stringContaining(`${file} is no snappy block`),
        wrong_length: expect.stringContaining(file),
      });
    },
  );

  test("fails a valid case whose post state is missing", async () => {
    rmSync(join(copyCase(`${EXIT_SUITE}/success_only_message`), "post.ssz_snappy"));
    expect((await onlyFailure()).reason).toBe("should be invalid (no post.ssz_snappy), and was accepted");
  });

  test("fails an invalid case that has a post state", async () => {
    const dir = copyCase(`${EXIT_SUITE}/invalid_sender`);
    cpSync(join(dir, "pre.ssz_snappy"), join(dir, "post.ssz_snappy"));
    expect((await onlyFailure()).reason).toContain("should be valid, and was refused");
  });

  test("fails a case that holds more than its runner reads, or nothing to judge", async () => {
    const batch = `${MINIMAL}/operations/triggered_exits_batch/pyspec_tests`;
    const more = copyCase(`${batch}/success_two`, `${batch}/more`);
    cpSync(join(more, "triggered_exits_0.ssz_snappy"), join(more, "triggered_exits_2.ssz_snappy"));
    writeFileSync(join(more, "notes.txt"), "for the reader");
    const gossip = `${MINIMAL}/networking/gossip_triggered_exit/pyspec_tests`;
    const silent = copyCase(`${gossip}/gossip_triggered_exit__valid_compounding_credentials`, `${gossip}/silent`);
    writeFileSync(join(silent, "meta.yaml"), "{topic: triggered_exit, current_time_ms: 0, messages: []}");
    const reasons = Object.fromEntries((await failures()).map(({ path, reason }) => [path, reason]));
    expect(reasons).toEqual({
      [`${batch}/more`]: "holds what operations/triggered_exits_batch does not read: triggered_exits_2.ssz_snappy",
      [`${gossip}/silent`]: "messages in meta.yaml is empty",
    });
  });

  test("names the fields that differ, with both values", async () => {
    const dir = copyCase(`${EXIT_SUITE}/success_only_message`);
    recompress(join(dir, "post.ssz_snappy"), (bytes) => {
      bytes.writeBigUInt64LE(bytes.readBigUInt64LE(40) + 1n, 40);
      return bytes;
    });
    const failure = await onlyFailure();
    expect(failure.reason).toBe("the result differs");
    expect(failure.differences).toEqual([{ path: "slot", expected: "684", actual: "683" }]);
  });

  test("fails broken and half-written YAML", async () => {
    const proofs = "general/message_bus/proof/is_valid_message_bus_proof/pyspec_tests";
    writeFileSync(join(copyCase(`${proofs}/valid_only_root`, `${proofs}/broken`), "data.yaml"), "leaf: [");
    const half = copyCase(`${proofs}/valid_only_root`, `${proofs}/half`);
    writeFileSync(join(half, "data.yaml"), readFileSync(join(half, "data.yaml")).subarray(0, 90));
    const reasons = (await failures()).map(({ reason }) => reason);
    expect(reasons[0]).toContain("data.yaml is no YAML");
    expect(reasons.length).toBe(2);
  });

  test("fails what is empty, loops or leads nowhere, and names it", async () => {
    mkdirSync(join(root, EXIT_SUITE, "empty_case"), { recursive: true });
    mkdirSync(join(root, MINIMAL, "operations/empty_handler"));
    symlinkSync("self", join(root, EXIT_SUITE, "self"));
    symlinkSync("..", join(root, MINIMAL, "operations", "parent"));
    symlinkSync("/nonexistent", join(root, MINIMAL, "nowhere"));
    const looped = copyCase(`${EXIT_SUITE}/success_only_message`, `${EXIT_SUITE}/looped_file`);
    rmSync(join(looped, "pre.ssz_snappy"));
    symlinkSync("pre.ssz_snappy", join(looped, "pre.ssz_snappy"));
    const reasons = Object.fromEntries((await failures()).map(({ path, reason }) => [path, reason]));
    expect(reasons).toEqual({
      [`${EXIT_SUITE}/empty_case`]: "pre.ssz_snappy is missing",
      [`${EXIT_SUITE}/self`]: "is a symlink loop",
      [`${EXIT_SUITE}/looped_file`]: "pre.ssz_snappy is a symlink loop",
      [`${MINIMAL}/operations/parent`]: "is a symlink loop",
      [`${MINIMAL}/operations/empty_handler`]: "is an empty directory: it should hold a suite",
      [`${MINIMAL}/nowhere`]: "is a symlink to nothing",
    });
  });

  test("fails a directory that is missing, empty or a file", async () => {
    const missing = join(root, "missing");
    const file = join(root, "file");
    writeFileSync(file, "");
    const empty = join(root, "empty");
    mkdirSync(empty);
    for (const [path, reason] of [
      [missing, "does not exist"],
      [file, "is no directory"],
      [empty, "is an empty directory: it should hold a preset"],
    ] as const) {
      const results = await runVectors({ root: path }, systemClock);
      expect(results).toMatchObject([{ path, status: "failed", reason }]);
    }
  });

  test("skips and names what is unknown, and never counts it as passed", async () => {
    const exit = `${EXIT_SUITE}/success_only_message`;
    copyCase(exit, `${MINIMAL}/rewards/basic/suite/a`);
    copyCase(exit, `${MINIMAL}/operations/constructor/suite/a`);
    copyCase(exit, "minimal/fulu/operations/triggered_exit/suite/a");
    copyCase(exit, "gnosis/message_bus/operations/triggered_exit/suite/a");
    const results = await runVectors({ root }, systemClock);
    expect(countBy(results, "passed")).toBe(0);
    expect(results.filter(({ status }) => status === "skipped").map(({ reason }) => reason)).toEqual([
      "unknown preset gnosis",
      "unknown fork fulu",
      "no handler for operations/constructor",
      "no handler for rewards/basic",
    ]);
  });

  test("is run in part by a filter, and taken from an unpacked release", async () => {
    copyCase(`${EXIT_SUITE}/success_only_message`, `tests/${EXIT_SUITE}/success_only_message`);
    copyCase(`${EXIT_SUITE}/invalid_sender`, `tests/${EXIT_SUITE}/invalid_sender`);
    const results = await runVectors({ root, filter: "only_message" }, systemClock);
    expect(results.map(({ path, status }) => [path, status])).toEqual([
      [`${EXIT_SUITE}/success_only_message`, "passed"],
    ]);
  });
});
