import type { Meter } from "./guard.ts";
import type { GuardKind } from "./limits.ts";

/** Follows the frames of one connection, which are cut anywhere between two chunks. */
export abstract class FrameTap {
  /** Null until the peer of the connection is known; it cannot have sent anything by then. */
  meter: Meter | null = null;
  #bodyBytes = 0;

  /** False: stop. */
  read(chunk: Uint8Array): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#bodyBytes > 0) {
        const skipped = Math.min(this.#bodyBytes, chunk.length - offset);
        this.#bodyBytes -= skipped;
        offset += skipped;
        continue;
      }
      const taken = this.readHeader(chunk, offset);
      if (taken === null) return false;
      offset += taken;
    }
    return true;
  }

  /** Takes what the chunk has of a header from `offset` on, and tells how many bytes that is. Null: stop. */
  protected abstract readHeader(chunk: Uint8Array, offset: number): number | null;

  /** The header is whole. False: stop. */
  protected endHeader(bodyBytes: number, cost: GuardKind | null): boolean {
    this.#bodyBytes = bodyBytes;
    return cost === null || this.meter === null || this.meter.spend(cost);
  }
}
