import fc from "fast-check";
import { compressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { decompressSnappyBlock, readDeclaredSize } from "../../src/validation/snappy_block.ts";

describe("snappy block", () => {
  test("snappy block: gives back what was compressed, and declares its size", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (data) => {
        const block = compressSync(data);
        expect(readDeclaredSize(block)).toBe(data.length);
        expect(new Uint8Array(decompressSnappyBlock(block) as Uint8Array)).toEqual(data);
      }),
    );
  });

  test.each([
    ["nothing", [], null],
    ["a varint that goes on", [0x80, 0x80], null],
    ["five bytes that hold no uint32", [0xff, 0xff, 0xff, 0xff, 0x10], null],
    ["six bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], null],
    ["the largest uint32", [0xff, 0xff, 0xff, 0xff, 0x0f], 2 ** 32 - 1],
    ["1132 in more bytes than it needs", [0xec, 0x88, 0x80, 0x00], 1132],
  ])("snappy block: the declared size of %s", (_, bytes, size) => {
    expect(readDeclaredSize(Uint8Array.from(bytes))).toBe(size);
  });

  test("snappy block: a literal length that other decoders read as negative is refused at once", () => {
    expect(decompressSnappyBlock(Uint8Array.from([0xec, 0x08, 0xfc, 0xfa, 0xff, 0xff, 0xff]))).toBeNull();
  });
});
