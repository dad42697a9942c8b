import { ssz } from "@lodestar/types";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deserializeExact, findInexactUint } from "../../src/spec/exact.ts";
import { SignedBeaconBlock } from "../../src/spec/types.ts";

const FIRST_INEXACT = 2n ** 53n;

/** A block with one transaction and one attestation, so that lists of both kinds are walked. */
function blockBytes(edit: (block: ReturnType<typeof SignedBeaconBlock.defaultValue>) => void): Uint8Array {
  const block = SignedBeaconBlock.defaultValue();
  block.message.body.attestations = [ssz.electra.Attestation.defaultValue(), ssz.electra.Attestation.defaultValue()];
  block.message.body.executionPayload.transactions = [new Uint8Array(3)];
  edit(block);
  return SignedBeaconBlock.serialize(block);
}

describe("exact uint64s", () => {
  test("finds a large value in a nested list of containers of variable size", () => {
    const bytes = blockBytes(({ message }) => {
      (message.body.attestations[1] as { data: { slot: number } }).data.slot = 2 ** 54;
    });
    expect(findInexactUint(SignedBeaconBlock, bytes)).toEqual({
      path: "message.body.attestations[1].data.slot",
      value: 2n ** 54n,
    });
    expect(() => deserializeExact(SignedBeaconBlock, bytes)).toThrow(/message\.body\.attestations\[1\]\.data\.slot/);
  });

  test("finds a large value in a list of numbers", () => {
    const bytes = new Uint8Array(24);
    new DataView(bytes.buffer).setBigUint64(16, FIRST_INEXACT, true);
    expect(findInexactUint(ssz.phase0.Balances, bytes)).toEqual({ path: "[2]", value: FIRST_INEXACT });
  });

  test("accepts a block without large values, and bigint fields with them", () => {
    const bytes = blockBytes(({ message }) => {
      message.body.executionPayload.excessBlobGas = 2n ** 64n - 1n;
      message.body.executionPayload.gasLimit = Number.MAX_SAFE_INTEGER;
    });
    expect(deserializeExact(SignedBeaconBlock, bytes).message.body.executionPayload.gasLimit).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });

  test("refuses bytes that are no block", () => {
    expect(() => deserializeExact(SignedBeaconBlock, new Uint8Array(10))).toThrow(/Not the SSZ of a SignedBeaconBlock/);
  });

  test("flags exactly the values that do not survive being numbers", () => {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    const anyUint = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: FIRST_INEXACT - 3n, max: FIRST_INEXACT + 3n }),
      fc.bigInt({ min: 2n ** 64n - 3n, max: 2n ** 64n - 1n }),
    );
    fc.assert(
      fc.property(anyUint, (value) => {
        view.setBigUint64(0, value, true);
        expect(findInexactUint(ssz.Slot, bytes) === null).toBe(value < FIRST_INEXACT);
        const isFarFuture = value === 2n ** 64n - 1n;
        expect(findInexactUint(ssz.EpochInf, bytes) === null).toBe(value < FIRST_INEXACT || isFarFuture);
      }),
    );
  });
});
