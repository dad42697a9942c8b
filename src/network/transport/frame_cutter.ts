/** Frames of a kind: a header of a fixed size tells their whole size. */
export interface FrameFormat {
  readonly headerBytes: number;
  /** Of the frame whose header begins at `offset`; throws where no such frame can be. Bounds what is held. */
  frameBytes(bytes: Uint8Array, offset: number): number;
  /** What is in `bytes` from `start` to `end`; never written to again. */
  onFrame(bytes: Uint8Array, start: number, end: number): void;
}

const NOTHING = new Uint8Array();

/** Cuts chunks into frames, wherever the chunks end, without a copy of a frame that comes whole. Holds one frame at most. */
export class FrameCutter {
  readonly #format: FrameFormat;
  #held = NOTHING;
  #heldBytes = 0;
  /** How many bytes must be held before it is worth looking again. */
  #neededBytes = 0;

  constructor(format: FrameFormat) {
    this.#format = format;
  }

  push(chunk: Uint8Array): void {
    if (this.#heldBytes === 0) {
      this.#cut(chunk);
      return;
    }
    let offset = 0;
    while (offset < chunk.length && this.#heldBytes > 0) {
      const end = Math.min(chunk.length, offset + this.#neededBytes - this.#heldBytes);
      this.#hold(chunk, offset, end);
      offset = end;
      if (this.#heldBytes < this.#neededBytes) return;
      const held = this.#held.subarray(0, this.#heldBytes);
      this.#held = NOTHING;
      this.#heldBytes = 0;
      // A whole frame, or a header that tells how much is missing yet.
      this.#cut(held);
    }
    if (offset < chunk.length) this.#cut(offset === 0 ? chunk : chunk.subarray(offset));
  }

  #cut(bytes: Uint8Array): void {
    const { headerBytes } = this.#format;
    let offset = 0;
    while (offset < bytes.length) {
      const isHeaderWhole = offset + headerBytes <= bytes.length;
      const frameBytes = isHeaderWhole ? this.#format.frameBytes(bytes, offset) : headerBytes;
      const end = offset + frameBytes;
      if (!isHeaderWhole || end > bytes.length) {
        this.#neededBytes = frameBytes;
        this.#hold(bytes, offset, bytes.length);
        return;
      }
      this.#format.onFrame(bytes, offset, end);
      offset = end;
    }
  }

  /** Copies, so that a short rest does not keep a long chunk; doubles, so that crumbs cost no more than their bytes. */
  #hold(bytes: Uint8Array, start: number, end: number): void {
    const size = this.#heldBytes + end - start;
    if (size > this.#held.length) {
      const grown = new Uint8Array(Math.max(size, Math.min(2 * size, this.#neededBytes)));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(bytes.subarray(start, end), this.#heldBytes);
    this.#heldBytes = size;
  }
}
