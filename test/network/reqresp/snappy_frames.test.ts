import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import type { ByteReader } from "../../../src/network/reqresp/byte_reader.ts";
import { crc32c } from "../../../src/network/reqresp/crc32c.ts";
import { decodeFrames, encodeFrames } from "../../../src/network/reqresp/snappy_frames.ts";

/** Reads from bytes in memory. */
function readerOf(bytes: Uint8Array): ByteReader {
  let offset = 0;
  const read = async (length: number) => {
    if (offset + length > bytes.length) throw new Error("the end");
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  return { read, readByteOrEnd: async () => null, readVarint: async () => null, release: () => {} };
}
const decode = (bytes: Uint8Array, size: number) => decodeFrames(readerOf(bytes), size);

const IDENTIFIER = Buffer.from("ff060000734e61507059", "hex");
const frame = (type: number, body: Uint8Array) =>
  Buffer.concat([Uint8Array.of(type, body.length & 0xff, (body.length >> 8) & 0xff, body.length >> 16), body]);
const data = (bytes: Uint8Array) => encodeFrames(bytes).subarray(IDENTIFIER.length);

describe("crc32c", () => {
  it("gives the check value of the algorithm", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });
});

describe("snappy frames", () => {
  const random = seededRandom(3);
  it.each([0, 1, 92, 65_535, 65_536, 65_537, 200_000])("carry %i bytes, random or not", async (size) => {
    for (const payload of [random.bytes(size), new Uint8Array(size).fill(7)]) {
      const decoded = await decode(encodeFrames(payload), size);
      expect(Buffer.from(decoded).equals(payload)).toBe(true);
    }
  });
  it("may be smaller than a full one, and have padding and skippable frames between", async () => {
    const parts = [IDENTIFIER, data(Buffer.from("ab")), frame(0xfe, new Uint8Array(8)), data(Buffer.from("cd"))];
    expect(Buffer.from(await decode(Buffer.concat([...parts]), 4)).toString()).toBe("abcd");
  });
  it.each([
    ["without the stream identifier", data(Buffer.from("ab"))],
    ["with another identifier", frame(0xff, Buffer.from("sNaPpX"))],
    ["of a reserved kind", Buffer.concat([IDENTIFIER, frame(0x02, new Uint8Array(4))])],
    ["without a checksum", Buffer.concat([IDENTIFIER, frame(0x01, new Uint8Array(3))])],
    ["with a wrong checksum", Buffer.concat([IDENTIFIER, frame(0x01, new Uint8Array(6))])],
    ["with nothing in them", Buffer.concat([IDENTIFIER, frame(0x01, new Uint8Array(4))])],
    ["with more than was announced", Buffer.concat([IDENTIFIER, data(Buffer.from("abc"))])],
    [
      "that claim more than a frame may hold",
      Buffer.concat([IDENTIFIER, frame(0x00, Buffer.from("00000000ffffffff0f00", "hex"))]),
    ],
    ["of padding without end", Buffer.concat([IDENTIFIER, frame(0xfe, new Uint8Array(1_000))])],
  ])("are refused %s", async (_, bytes) => {
    await expect(decode(bytes, 2)).rejects.toMatchObject({ code: "BAD_FRAMES" });
  });
});
