import { readFileSync } from "node:fs";
import { ssz } from "@lodestar/types";
import { uncompressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { CodedError } from "../../src/base/errors.ts";
import { BeaconState } from "../../src/spec/types.ts";
import { decodeState, loadState, readGenesisValidatorsRoot } from "../../src/state/beacon_state.ts";
import { createTestGenesis } from "./network.ts";

const ours = createTestGenesis(0);
const fulu = createTestGenesis(4);
const bytes = ours.state.serialize();

function errorOf(run: () => unknown): CodedError {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("did not throw");
}

describe("state file", () => {
  test("of Fulu is refused where the fork is ours, and the other way round, naming both", () => {
    const error = errorOf(() => loadState(ours.config, fulu.state.serialize()));
    expect(error.code).toBe("WRONG_FORK");
    expect(error.message).toBe(
      "Expected a state of message_bus (0xb0000001) at slot 0, found fulu (0x06000001) with the fields of fulu",
    );
    expect(errorOf(() => loadState(fulu.config, bytes)).message).toContain("Expected a state of fulu (0x06000001)");
  });

  test("of our version with Fulu's fields is refused", () => {
    const view = ssz.fulu.BeaconState.deserializeToViewDU(fulu.state.serialize());
    view.fork.currentVersion = ours.config.MESSAGE_BUS_FORK_VERSION;
    const error = errorOf(() => loadState(ours.config, view.serialize()));
    expect(error.message).toContain("with the fields of fulu");
  });

  test("of an unknown network names the version that was found", () => {
    const other = bytes.slice();
    other.set([1, 2, 3, 4], 52);
    const error = errorOf(() => loadState(ours.config, other));
    expect(error.fields).toEqual({ expected: "message_bus (0xb0000001)", found: "unknown fork (0x01020304)" });
  });

  test("of the mainnet preset is told apart from a minimal one", () => {
    const file = "test/vectors/mainnet/message_bus/fork/fork/pyspec_tests/fork_plain/post.ssz_snappy";
    const mainnet = uncompressSync(readFileSync(file)) as Buffer;
    const error = errorOf(() => loadState(ours.config, mainnet));
    expect(error.code).toBe("WRONG_PRESET");
    expect(error.fields).toEqual({ expected: "minimal", found: "mainnet" });
  });

  test.each([0, 1, 63, 64, 5_000, bytes.length - 1])("cut off after %i bytes is refused", (length) => {
    expect(errorOf(() => loadState(ours.config, bytes.slice(0, length))).code).toBe("BAD_SSZ");
  });

  test("with bytes at its end is refused", () => {
    expect(errorOf(() => loadState(ours.config, Buffer.concat([bytes, Buffer.alloc(3)]))).code).toBe("BAD_SSZ");
  });

  test("with a uint64 that a number cannot hold is refused with the field's path", () => {
    const value = BeaconState.deserialize(bytes);
    const activationEpoch = 2 ** 60;
    const validators = value.validators.map((validator, i) =>
      i === 3 ? { ...validator, activationEpoch } : validator,
    );
    const error = errorOf(() => decodeState(ours.config, BeaconState.serialize({ ...value, validators })));
    expect(error.code).toBe("UINT64_TOO_LARGE");
    expect(error.fields).toEqual({ path: "validators[3].activationEpoch", value: (2n ** 60n).toString() });
  });

  test("tells its genesis validators root before it is decoded", () => {
    expect(readGenesisValidatorsRoot(bytes)).toEqual(ours.config.genesisValidatorsRoot);
    expect(errorOf(() => readGenesisValidatorsRoot(bytes.slice(0, 40))).code).toBe("BAD_SSZ");
  });
});
