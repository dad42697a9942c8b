/**
 * Cuts a stream into frames, each after its length as a varint, without a promise a frame. Holds one incomplete frame
 * at most, in as many bytes as have come of it.
 */

export interface FrameReaderOptions {
  readonly maxFrameBytes: number;
  /** False stops: nothing that came later is looked at. */
  onFrame(frame: Uint8Array): boolean;
  onOversize(): void;
}

/** Of a length below 2^35. */
const MAX_LENGTH_BYTES = 5;

export class FrameReader {
  readonly #options: FrameReaderOptions;
  #held: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #heldBytes = 0;
  /** How many bytes must be held before it is worth looking again. */
  #neededBytes = 1;
  #stopped = false;
  /** Complete frames seen. */
  frames = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  /** Of the frame that is not complete yet, 0 where there is none. */
  get pendingBytes(): number {
    return this.#heldBytes === 0 ? 0 : this.#neededBytes;
  }

  push(chunk: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#heldBytes === 0) {
      this.#read(chunk);
      return;
    }
    this.#hold(chunk);
    if (this.#heldBytes < this.#neededBytes) return;
    const all = this.#held.subarray(0, this.#heldBytes);
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
    this.#read(all);
  }

  #read(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      let length = 0;
      let lengthBytes = 0;
      let byte = 0x80;
      while (byte >= 0x80 && lengthBytes < MAX_LENGTH_BYTES && offset + lengthBytes < bytes.length) {
        byte = bytes[offset + lengthBytes] as number;
        length += (byte & 0x7f) * 2 ** (7 * lengthBytes++);
      }
      if (length > this.#options.maxFrameBytes || (byte >= 0x80 && lengthBytes === MAX_LENGTH_BYTES)) {
        this.#stopped = true;
        this.#options.onOversize();
        return;
      }
      const start = offset + lengthBytes;
      const end = start + length;
      if (byte >= 0x80 || end > bytes.length) {
        this.#neededBytes = byte >= 0x80 ? bytes.length - offset + 1 : end - offset;
        this.#hold(bytes.subarray(offset));
        return;
      }
      this.frames++;
      if (!this.#options.onFrame(bytes.subarray(start, end))) {
        this.#stopped = true;
        return;
      }
      offset = end;
    }
  }

  /** Copies, so that a short rest does not keep a long chunk; doubles, so that crumbs cost no more than their bytes. */
  #hold(bytes: Uint8Array): void {
    const size = this.#heldBytes + bytes.length;
    if (size > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(2 * size, this.#neededBytes)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes = size;
  }
}
