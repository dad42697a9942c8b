/**
 * What our validators signed last: a validator signs one block a slot and one attestation a target epoch, ever upwards.
 * A restarted node with a data directory goes on from its file; without one, it relies on the clock alone.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { CodedError, errorMessage } from "../base/errors.ts";

interface Signed {
  /** Slot of the last block; -1 for none. */
  blockSlot: number;
  /** -1 for none. */
  sourceEpoch: number;
  targetEpoch: number;
}

export class SlashingProtection {
  /** One entry a validator of ours. */
  private readonly signed = new Map<number, Signed>();
  private readonly path: string | null;

  /** Throws `BAD_SLASHING_PROTECTION` when the file cannot be understood: signing without it would be a gamble. */
  constructor(path: string | null) {
    this.path = path;
    if (path !== null) this.load(path);
  }

  /** Records a block before it is signed; false when the validator must not sign it. */
  mayPropose(index: number, slot: number): boolean {
    const signed = this.of(index);
    if (slot <= signed.blockSlot) return false;
    signed.blockSlot = slot;
    this.save();
    return true;
  }

  /** Records attestations of one vote before they are signed; returns the validators that may sign it. */
  mayAttest(indices: number[], sourceEpoch: number, targetEpoch: number): number[] {
    const allowed = indices.filter((index) => {
      const signed = this.of(index);
      return targetEpoch > signed.targetEpoch && sourceEpoch >= signed.sourceEpoch;
    });
    for (const index of allowed) Object.assign(this.of(index), { sourceEpoch, targetEpoch });
    if (allowed.length > 0) this.save();
    return allowed;
  }

  private of(index: number): Signed {
    const signed = this.signed.get(index) ?? { blockSlot: -1, sourceEpoch: -1, targetEpoch: -1 };
    this.signed.set(index, signed);
    return signed;
  }

  private load(path: string): void {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw unreadable(path, error);
    }
    try {
      const file: unknown = JSON.parse(text);
      if (typeof file !== "object" || file === null) throw new Error("not an object");
      for (const [index, { blockSlot, sourceEpoch, targetEpoch }] of Object.entries(file)) {
        if (![Number(index), blockSlot, sourceEpoch, targetEpoch].every(Number.isSafeInteger)) throw new Error(index);
        this.signed.set(Number(index), { blockSlot, sourceEpoch, targetEpoch });
      }
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** Whole or not at all: a crash in the middle leaves the previous file. */
  private save(): void {
    if (this.path === null) return;
    const next = `${this.path}.next`;
    writeFileSync(next, JSON.stringify(Object.fromEntries(this.signed)), { flush: true });
    renameSync(next, this.path);
  }
}

function unreadable(path: string, cause: unknown): CodedError {
  return new CodedError(
    "BAD_SLASHING_PROTECTION",
    `Cannot read the slashing protection in ${path} (${errorMessage(cause)}): restore it, or remove it if no other node ever signed with these keys`,
    { path },
    cause,
  );
}
