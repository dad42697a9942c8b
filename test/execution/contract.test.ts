import { encodeAbiParameters, hexToBytes } from "viem";
import { describe, expect, test } from "vitest";
import { decodeMessageSent, MESSAGE_SENT_TOPIC } from "../../src/execution/contract.ts";

function log(data: Uint8Array) {
  const word = new Uint8Array(32).fill(1);
  return {
    address: new Uint8Array(20),
    topics: [hexToBytes(MESSAGE_SENT_TOPIC), word, word, word.map((_, i) => (i === 31 ? 7 : 0))],
    data,
    blockHash: word,
    blockNumber: 1,
    transactionHash: word,
  };
}

function encode(payload: Uint8Array): Uint8Array {
  return hexToBytes(encodeAbiParameters([{ type: "bytes" }], [`0x${Buffer.from(payload).toString("hex")}`]));
}

describe("the contract's log", () => {
  test.each([0, 1, 31, 32, 33, 48, 1000])("a payload of %i bytes is what the ABI encodes", (sizeBytes) => {
    const payload = new Uint8Array(sizeBytes).fill(0xab);
    expect(decodeMessageSent(log(encode(payload)))).toMatchObject({ index: 7n, payload });
  });

  test("data that encodes no bytes is no log of ours", () => {
    const data = encode(new Uint8Array(48));
    const withByte = (i: number, byte: number) => data.map((old, at) => (at === i ? byte : old));
    for (const bad of [
      data.subarray(0, 63),
      data.subarray(0, 100),
      withByte(31, 64),
      withByte(63, 65),
      withByte(32, 1),
    ]) {
      expect(decodeMessageSent(log(bad))).toBeNull();
    }
  });

  test("a payload as large as a block can hold is read in a moment", () => {
    const data = encode(new Uint8Array(4_500_000));
    const startMs = performance.now();
    expect(decodeMessageSent(log(data))?.payload.length).toBe(4_500_000);
    expect(performance.now() - startMs).toBeLessThan(200);
  });
});
