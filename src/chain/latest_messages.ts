/** Which block each validator voted for last. */
import type { RootHex } from "./root_hex.ts";

export interface Vote {
  readonly root: RootHex;
  readonly epoch: number;
}

/** At most one vote a validator, and one that waits. */
export class LatestMessages {
  private readonly votes = new Map<number, Vote>();
  /** Votes of the current slot count from the next one on. */
  private readonly queued = new Map<number, { vote: Vote; slot: number }>();
  private readonly equivocating = new Set<number>();

  /** By validator index. */
  entries(): Iterable<[number, Vote]> {
    return this.votes;
  }

  /** `slot` is the attestation's, and waits for a later one. */
  queue(index: number, vote: Vote, slot: number): void {
    this.queued.set(index, { vote, slot });
  }

  /** The votes of slots before this one, which count from now on. */
  release(slot: number): [number, Vote][] {
    const released: [number, Vote][] = [];
    for (const [index, queued] of this.queued) {
      if (queued.slot >= slot) continue;
      this.queued.delete(index);
      released.push([index, queued.vote]);
    }
    return released;
  }

  /** False where the validator has voted for as late an epoch, or has equivocated. @spec phase0/fork-choice.md#update_latest_messages */
  update(index: number, vote: Vote): boolean {
    if (this.equivocating.has(index)) return false;
    const known = this.votes.get(index);
    if (known !== undefined && known.epoch >= vote.epoch) return false;
    this.votes.set(index, vote);
    return true;
  }

  /** @spec phase0/fork-choice.md#on_attester_slashing */
  discard(indices: Iterable<number>): void {
    for (const index of indices) {
      this.equivocating.add(index);
      this.votes.delete(index);
      this.queued.delete(index);
    }
  }
}
