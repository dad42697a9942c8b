import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader } from "../../../src/network/guard/frame_reader.ts";

const MAX_FRAME_BYTES = 1000;

function setUp(stopAfter = Number.POSITIVE_INFINITY) {
  const frames: string[] = [];
  let oversize = 0;
  const reader = new FrameReader({
    maxFrameBytes: MAX_FRAME_BYTES,
    onFrame: (frame) => frames.push(Buffer.from(frame).toString("hex")) < stopAfter,
    onOversize: () => void oversize++,
  });
  return { reader, frames, oversize: () => oversize };
}

function encode(frame: Uint8Array): Uint8Array {
  const { length } = frame;
  const prefix = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Uint8Array.from(prefix), frame]);
}

describe("frame reader", () => {
  it("finds the same frames wherever the stream is cut", () => {
    const frame = fc.uint8Array({ maxLength: MAX_FRAME_BYTES });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 40 }), (expected, cuts) => {
        const { reader, frames, oversize } = setUp();
        let rest = Buffer.concat(expected.map(encode));
        for (const cut of cuts) {
          reader.push(Buffer.from(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        reader.push(rest);
        expect(frames).toEqual(expected.map((bytes) => Buffer.from(bytes).toString("hex")));
        expect([reader.pendingBytes, oversize()]).toEqual([0, 0]);
      }),
    );
  });

  it.each(["e907", "ffffff7f", "ffffffffff", "8080808080"])("stops at a length that is too large: %s", (hex) => {
    const { reader, frames, oversize } = setUp();
    for (const byte of Buffer.from(hex, "hex")) reader.push(Uint8Array.of(byte));
    reader.push(Uint8Array.of(0, 0));
    expect([frames, oversize()]).toEqual([[], 1]);
  });

  it("looks at nothing after it was told to stop", () => {
    const { reader, frames } = setUp(1);
    reader.push(Uint8Array.of(1, 7, 1, 8));
    reader.push(Uint8Array.of(1, 9));
    expect(frames).toEqual(["07"]);
  });

  it("tells how much of a frame is announced and not there yet", () => {
    const { reader } = setUp();
    reader.push(Uint8Array.of(10, 1, 2));
    expect(reader.pendingBytes).toBe(11);
  });
});
