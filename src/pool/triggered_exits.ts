/** The exits that wait for a block, and those in blocks that may still be orphaned. */
import { MAX_TRIGGERED_EXITS } from "../spec/preset.ts";
import type { TriggeredExit } from "../spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../state/beacon_state.ts";
import type { RootsView } from "../state/roots.ts";
import { isExitInitiated } from "../state/triggered_exit.ts";
import type { StateView } from "../state/view.ts";
import { isLasting } from "../validation/seen.ts";
import type { VerifiedTriggeredExit } from "../validation/triggered_exit.ts";
import type { JournalRecord } from "./journal.ts";
import { packTriggeredExits } from "./packing.ts";
import { WaitingExits } from "./waiting_exits.ts";

/**
 * Exits held at once, 1.6 kB each: 26 MB, or 1,024 full blocks, 3 hours of mainnet. In a full pool what comes by gossip waits
 * outside, since of all its newer root lasts longest; an own submission takes the place of the gossiped exit that would be
 * packed last, which waits in turn. What waits comes in, with a new proof, as blocks make room.
 */
const POOL_LIMIT = 16_384;

/** Own submissions whose fate is remembered, 150 bytes each. Beyond it the oldest is forgotten; its exit stays pooled. */
const LOCAL_STATUS_LIMIT = 16_384;

/** `local` was submitted to this node, `network` is anyone's. */
export type ExitOrigin = "local" | "network";

/**
 * `ADDED`; `REPLACED` a proof that expires sooner; `KEPT` the proof of the same validator that lasts at least as long;
 * `FULL`: it waits outside.
 */
export type InsertOutcome = "ADDED" | "REPLACED" | "KEPT" | "FULL";

export interface Inclusion {
  /** Hex with 0x. */
  readonly blockRoot: string;
  readonly slot: number;
}

/**
 * `dropped`: the exit was initiated otherwise, or the root left the window before a block held the exit (a
 * node that follows the contract proves it again in time; else prove the message against a newer root and submit it again).
 */
export type LocalExitStatus =
  | { readonly state: "pending"; readonly publishedTo: number }
  | ({ readonly state: "included" | "finalized"; readonly publishedTo: number } & Inclusion)
  | { readonly state: "dropped"; readonly publishedTo: number };

interface Entry {
  exit: VerifiedTriggeredExit;
  origin: ExitOrigin;
  /** In a block of the head's branch. */
  inclusion: Inclusion | null;
  /** Number of the last execution block after which the root still stands, as of the last look at a head that has it. */
  standsUntilBlock: number;
}

export class TriggeredExitPool {
  readonly #entries = new Map<number, Entry>();
  readonly #localStatus = new Map<number, LocalExitStatus>();
  readonly #waiting = new WaitingExits();
  readonly #limit: number;

  constructor(limit = POOL_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** One entry a validator: the proof whose root lasts longest at this head. */
  insert(exit: VerifiedTriggeredExit, origin: ExitOrigin, headRoots: RootsView): InsertOutcome {
    const entry = this.#entries.get(exit.validatorIndex);
    if (entry !== undefined) {
      if (origin === "local") this.adopt(exit.validatorIndex);
      const held = headRoots.payloadsUntilEvicted(entry.exit.root);
      if (headRoots.payloadsUntilEvicted(exit.root) <= held) return "KEPT";
      entry.exit = exit;
      entry.standsUntilBlock = standsUntilBlock(exit, headRoots);
      return "REPLACED";
    }
    if (this.#entries.size >= this.#limit && !(origin === "local" && this.#displaceLastToPack(headRoots))) {
      this.#waiting.add(exit);
      return "FULL";
    }
    this.#waiting.delete(exit.validatorIndex);
    this.#entries.set(exit.validatorIndex, {
      exit,
      origin: "network",
      inclusion: null,
      standsUntilBlock: standsUntilBlock(exit, headRoots),
    });
    if (origin === "local") this.adopt(exit.validatorIndex);
    return "ADDED";
  }

  /**
   * Treats a pooled exit as an own submission from now on: what an API does with an exit that gossip was quicker to
   * bring. False where the validator has none.
   */
  adopt(validatorIndex: number): boolean {
    const entry = this.#entries.get(validatorIndex);
    if (entry === undefined) return false;
    entry.origin = "local";
    const status = this.#localStatus.get(validatorIndex);
    if (status === undefined || status.state === "dropped") this.#setStatus(validatorIndex, statusOf(entry, 0));
    return true;
  }

  get(validatorIndex: number): VerifiedTriggeredExit | null {
    return this.#entries.get(validatorIndex)?.exit ?? null;
  }

  /** Those that no block of the head's branch holds yet, oldest first. */
  *pending(): IterableIterator<VerifiedTriggeredExit> {
    for (const { exit, inclusion } of this.#entries.values()) if (inclusion === null) yield exit;
  }

  /** Those that wait for a block longer than their root lasts, oldest first: to be proven again. */
  *expiring(head: StateView): IterableIterator<VerifiedTriggeredExit> {
    for (const { exit } of this.#entries.values()) {
      if (isLasting(exit.root, head.roots)) continue;
      const validator = head.getValidator(exit.validatorIndex);
      if (validator !== null && !isExitInitiated(validator)) yield exit;
    }
  }

  /** Exits for which there was no room. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Exits that waited and for which there is room now, at most `max`: to be proven and judged again, and inserted, or given
   * back with `keepWaiting`.
   */
  takeWaiting(max: number): TriggeredExit[] {
    return this.#waiting.take(Math.min(max, this.#limit - this.#entries.size));
  }

  keepWaiting(exit: Pick<VerifiedTriggeredExit, "validatorIndex" | "ssz">): void {
    this.#waiting.add(exit);
  }

  /** All that is held, oldest first, as the journal keeps it. */
  *records(): IterableIterator<JournalRecord> {
    for (const { exit, origin } of this.#entries.values()) yield { ssz: exit.ssz, isLocal: origin === "local" };
  }

  /** What became of an own submission; null where there was none, or it is forgotten. */
  localStatus(validatorIndex: number): LocalExitStatus | null {
    return this.#localStatus.get(validatorIndex) ?? null;
  }

  /** Notes how many peers an own submission was sent to. */
  onPublished(validatorIndex: number, recipients: number): void {
    const status = this.#localStatus.get(validatorIndex);
    if (status === undefined) return;
    this.#localStatus.set(validatorIndex, { ...status, publishedTo: status.publishedTo + recipients });
  }

  /** The exits for a block, see `packTriggeredExits`. Nothing leaves the pool: the state decides what was included. */
  pack(
    state: CachedBeaconStateMessageBus,
    unverifiedBlockNumbers: ReadonlySet<number>,
    max = MAX_TRIGGERED_EXITS,
  ): TriggeredExit[] {
    const candidates = Array.from(this.#entries.values(), ({ exit, origin }) => ({
      exit,
      isLocal: origin === "local",
    }));
    return packTriggeredExits(candidates, state, unverifiedBlockNumbers, max);
  }

  /** A block of the head's branch holds exits of these validators. They are kept until finality. */
  onBlockIncluded(block: Inclusion, validatorIndices: Iterable<number>): void {
    for (const validatorIndex of validatorIndices) {
      const entry = this.#entries.get(validatorIndex);
      if (entry === undefined) continue;
      this.#setInclusion(validatorIndex, entry, { blockRoot: block.blockRoot, slot: block.slot });
    }
  }

  /** Blocks that the head's branch has left give their exits back. */
  onReorg(orphanedBlockRoots: ReadonlySet<string>): void {
    for (const [validatorIndex, entry] of this.#entries) {
      if (entry.inclusion !== null && orphanedBlockRoots.has(entry.inclusion.blockRoot)) {
        this.#setInclusion(validatorIndex, entry, null);
      }
    }
  }

  /** Drops what no block on top of the finalized state can include any more. */
  onFinalized(finalized: StateView, headRoots: RootsView): void {
    for (const [validatorIndex, entry] of this.#entries) {
      const validator = finalized.getValidator(validatorIndex);
      if (validator !== null && isExitInitiated(validator)) {
        const isOurs = entry.inclusion !== null && entry.inclusion.slot <= finalized.slot;
        this.#remove(validatorIndex, isOurs ? "finalized" : "dropped");
      } else if (headRoots.has(entry.exit.root)) {
        entry.standsUntilBlock = standsUntilBlock(entry.exit, headRoots);
      } else if (entry.standsUntilBlock < finalized.roots.latestBlockNumber) {
        this.#remove(validatorIndex, "dropped");
      }
    }
  }

  #setInclusion(validatorIndex: number, entry: Entry, inclusion: Inclusion | null): void {
    entry.inclusion = inclusion;
    const status = this.#localStatus.get(validatorIndex);
    if (status !== undefined) this.#localStatus.set(validatorIndex, statusOf(entry, status.publishedTo));
  }

  #remove(validatorIndex: number, state: "finalized" | "dropped"): void {
    const inclusion = this.#entries.get(validatorIndex)?.inclusion ?? null;
    this.#entries.delete(validatorIndex);
    const status = this.#localStatus.get(validatorIndex);
    if (status === undefined) return;
    const { publishedTo } = status;
    this.#localStatus.set(
      validatorIndex,
      state === "finalized" && inclusion !== null
        ? { state, publishedTo, ...inclusion }
        : { state: "dropped", publishedTo },
    );
  }

  #setStatus(validatorIndex: number, status: LocalExitStatus): void {
    this.#localStatus.set(validatorIndex, status);
    if (this.#localStatus.size <= LOCAL_STATUS_LIMIT) return;
    const oldest = this.#localStatus.keys().next();
    if (!oldest.done) this.#localStatus.delete(oldest.value);
  }

  /** Makes room for an own submission; false where the pool holds nothing else. */
  #displaceLastToPack(headRoots: RootsView): boolean {
    let last: { exit: VerifiedTriggeredExit; payloadsLeft: number } | null = null;
    for (const { exit, origin } of this.#entries.values()) {
      if (origin === "local") continue;
      const payloadsLeft = headRoots.payloadsUntilEvicted(exit.root);
      if (last === null || payloadsLeft > last.payloadsLeft) last = { exit, payloadsLeft };
    }
    if (last === null) return false;
    this.#waiting.add(last.exit);
    return this.#entries.delete(last.exit.validatorIndex);
  }
}

function statusOf({ inclusion }: Entry, publishedTo: number): LocalExitStatus {
  return inclusion === null ? { state: "pending", publishedTo } : { state: "included", publishedTo, ...inclusion };
}

function standsUntilBlock(exit: VerifiedTriggeredExit, headRoots: RootsView): number {
  return headRoots.latestBlockNumber + headRoots.payloadsUntilEvicted(exit.root);
}
