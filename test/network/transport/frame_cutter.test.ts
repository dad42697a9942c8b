import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameCutter } from "../../../src/network/transport/frame_cutter.ts";

const SEED = 20_261_122;
const HEADER_BYTES = 3;

/** A header: 0x7f, and the body's length in two bytes. */
function cutterInto(frames: Buffer[]): FrameCutter {
  return new FrameCutter({
    headerBytes: HEADER_BYTES,
    frameBytes(bytes, offset) {
      if (bytes[offset] !== 0x7f) throw new Error("no frame");
      return HEADER_BYTES + (bytes[offset + 1] ?? 0) * 256 + (bytes[offset + 2] ?? 0);
    },
    onFrame: (bytes, start, end) => void frames.push(Buffer.from(bytes.subarray(start, end))),
  });
}

function frame(body: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(0x7f, body.length >> 8, body.length & 0xff), body]);
}

describe("frame cutter", () => {
  it("gives each frame once and in order, wherever the chunks end", () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 700 }), { minLength: 1, maxLength: 12 });
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 900 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(bodies, sizes, (all, cuts) => {
        const sent = all.map(frame);
        const bytes = Buffer.concat(sent);
        const frames: Buffer[] = [];
        const cutter = cutterInto(frames);
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + (cuts[i % cuts.length] ?? 1);
          // A copy of its own, spoilt afterwards: what is held must not be the chunk.
          const chunk = Uint8Array.from(bytes.subarray(at, end));
          cutter.push(chunk);
          chunk.fill(0xee);
          at = end;
        }
        expect(Buffer.concat(frames).equals(bytes)).toBe(true);
        expect(frames.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("gives what comes whole without a copy, and nothing for an empty chunk", () => {
    const seen: Uint8Array[] = [];
    const cutter = new FrameCutter({
      headerBytes: 1,
      frameBytes: () => 2,
      onFrame: (bytes) => void seen.push(bytes),
    });
    const chunk = Uint8Array.of(1, 2, 3, 4);
    cutter.push(new Uint8Array());
    cutter.push(chunk);
    expect(seen).toEqual([chunk, chunk]);
    expect(seen[0]).toBe(chunk);
  });

  it("throws at a header that cannot be, before anything of its body has come", () => {
    const frames: Buffer[] = [];
    const cutter = cutterInto(frames);
    cutter.push(frame(Uint8Array.of(1)));
    cutter.push(Uint8Array.of(0x11));
    cutter.push(Uint8Array.of(0));
    expect(() => cutter.push(Uint8Array.of(0))).toThrow("no frame");
    expect(frames.length).toBe(1);
  });
});
