import fc from "fast-check";
import { compressSync, uncompressSync } from "snappy";
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

  /** Native, whatever the size. */
  function decompressNatively(block: Uint8Array): Uint8Array | null {
    try {
      return new Uint8Array(uncompressSync(block, { asBuffer: true }) as Buffer);
    } catch {
      return null;
    }
  }

  /** Runs and repeats, so that every kind of copy occurs. */
  const compressible = fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.nat({ max: 40 })), { maxLength: 12 })
    .map((parts) => new Uint8Array(Buffer.concat(parts.flatMap(([part, times]) => Array(times + 1).fill(part)))));

  test("snappy block: small blocks are read as the native library reads them, whatever was changed in them", () => {
    fc.assert(
      fc.property(
        fc.oneof(compressible, fc.uint8Array({ maxLength: 1200 })),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.option(fc.nat()),
        (data, edits, cut) => {
          const block = new Uint8Array(compressSync(data));
          for (const [position, byte] of edits) block[position % block.length] = byte;
          const wireData = cut === null ? block : block.subarray(0, cut % (block.length + 1));
          const size = readDeclaredSize(wireData);
          // What declares more than a megabyte is refused before it is read.
          if (size !== null && size > 2 ** 20) return;
          const found = decompressSnappyBlock(wireData);
          expect(found === null ? null : new Uint8Array(found)).toEqual(decompressNatively(wireData));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("snappy block: random elements are read as the native library reads them", () => {
    const element = fc.oneof(
      fc.tuple(fc.nat({ max: 63 }), fc.uint8Array({ maxLength: 70 })).map(([n, rest]) => [n << 2, ...rest]),
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat({ max: 63 }), fc.uint8Array({ maxLength: 4 })),
    );
    fc.assert(
      fc.property(fc.nat({ max: 300 }), fc.array(element, { maxLength: 6 }), (size, elements) => {
        const body = elements.flatMap((parts) =>
          parts.length === 3 && typeof parts[2] !== "number"
            ? [((parts[1] as number) << 2) | (parts[0] as number), ...(parts[2] as Uint8Array)]
            : (parts as number[]),
        );
        const wireData = Uint8Array.from(size < 128 ? [size, ...body] : [(size & 127) | 128, size >> 7, ...body]);
        const found = decompressSnappyBlock(wireData);
        expect(found === null ? null : new Uint8Array(found)).toEqual(decompressNatively(wireData));
      }),
      { numRuns: 3000 },
    );
  });
});
