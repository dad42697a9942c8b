import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { compressBlock, decompressBlock } from "../../src/network/encoding.ts";

const MAX = 1132;

describe("snappy blocks", () => {
  it("come back as they went", () => {
    const random = seededRandom(1);
    for (const size of [0, 1, 60, 61, 1132]) {
      const data = random.bytes(size);
      const wire = compressBlock(data);
      expect(Buffer.from(decompressBlock(wire, MAX) ?? [9]).equals(data)).toBe(true);
    }
  });

  it("are not decompressed when they claim more than the bound: a bomb costs nothing", () => {
    const bomb = compressBlock(new Uint8Array(64 * 1024 * 1024));
    expect(decompressBlock(bomb, MAX)).toBeNull();
    const lie = Buffer.concat([Buffer.from("ffffffff0f", "hex"), bomb]);
    expect(decompressBlock(lie, MAX)).toBeNull();
  });

  it.each(["", "80", "8080808080", "ffffffff10", "ffffffffff00"])(
    "are refused when they begin with %s, which is no size",
    (hex) => {
      expect(decompressBlock(Buffer.from(hex, "hex"), MAX)).toBeNull();
    },
  );

  it("are refused at once on the seven bytes that hang snappyjs for good", () => {
    expect(decompressBlock(Buffer.from("ec08fcfaffffff", "hex"), MAX)).toBeNull();
  });

  it("end in a value for any bytes", () => {
    const random = seededRandom(2);
    for (let i = 0; i < 20_000; i++) {
      const data = decompressBlock(random.bytes(random.below(64)), MAX);
      expect(data === null || data.length <= MAX).toBe(true);
    }
  });
});
