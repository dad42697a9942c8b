/** Exits that wait for their root: gossipsub's verdict waits with them for as long as it can, and no longer. */
import type { CancelTimer, Clock } from "./base/clock.ts";
import { HEARTBEAT_INTERVAL_MS, VERDICT_DEADLINE_MS } from "./network/gossip.ts";
import type { PeerFault } from "./network/network.ts";
import { PARKED_LIFETIME_SLOTS, type ParkedExit, ParkedExits } from "./validation/parked.ts";
import type { OperationSource, TriggeredExitVerdict } from "./validation/verdict.ts";

/** From a message's receipt. What is answered after VERDICT_DEADLINE_MS is lost: a heartbeat is left for the way there. */
export const HOLD_MS = VERDICT_DEADLINE_MS - HEARTBEAT_INTERVAL_MS;

/**
 * Verdicts held at once, of the 1,024 that the boundary has room for on all topics. Exits beyond it are ignored at once,
 * and published by this node when their root comes.
 */
export const HELD_LIMIT = 256;
/** Of one peer, so that two who forge leave room for others. */
export const HELD_PER_PEER_LIMIT = 96;

const UNKNOWN_ROOT: TriggeredExitVerdict = { result: "ignore", code: "UNKNOWN_ROOT" };

export interface WaitingExit {
  readonly ssz: Uint8Array;
  readonly root: Uint8Array;
  readonly source: OperationSource;
  /** Null unless gossip brought it. */
  readonly peerId: string | null;
}

export interface ExitParkingDeps {
  readonly slotMs: number;
  isSynced(): boolean;
  /** Judges what has waited; `isHeld`: gossipsub still waits for the verdict, and forwards by itself. */
  judgeAgain(exit: WaitingExit, isHeld: boolean): TriggeredExitVerdict;
  /** The peer brought `count` roots that nobody has seen, or exits that expired waiting for such. */
  penalize(peerId: string, fault: PeerFault, count: number): void;
  readonly clock: Clock;
}

interface Held {
  readonly peerId: string;
  readonly cancelTimer: CancelTimer;
  readonly answer: (verdict: TriggeredExitVerdict) => void;
}

export class ExitParking {
  readonly #deps: ExitParkingDeps;
  readonly #parked = new ParkedExits();
  readonly #held = new Map<ParkedExit, Held>();
  readonly #heldByPeer = new Map<string, number>();

  constructor(deps: ExitParkingDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#parked.size;
  }

  /** Whether the exit waits now, or did before: then it is judged again once its root is stored. */
  park(exit: WaitingExit): boolean {
    return this.#park(exit).outcome !== "FULL";
  }

  /** Parks what gossip brought; the verdict to report comes with the root, or in time without it. */
  hold(exit: WaitingExit & { readonly peerId: string }, receivedMs: number): Promise<TriggeredExitVerdict> | null {
    const result = this.#park(exit);
    if (result.outcome !== "PARKED") return null;
    const { clock } = this.#deps;
    const { peerId } = exit;
    const waitMs = receivedMs + HOLD_MS - clock.nowMs();
    const ownCount = this.#heldByPeer.get(peerId) ?? 0;
    if (waitMs <= 0 || this.#held.size >= HELD_LIMIT || ownCount >= HELD_PER_PEER_LIMIT) return null;
    const { promise, resolve: answer } = Promise.withResolvers<TriggeredExitVerdict>();
    // A wall clock that was set back must not make it wait for longer.
    const cancelTimer = clock.after(Math.min(waitMs, HOLD_MS), () => this.#answer(result.exit, UNKNOWN_ROOT));
    this.#held.set(result.exit, { peerId, cancelTimer, answer });
    this.#heldByPeer.set(peerId, ownCount + 1);
    return promise;
  }

  /** A block on any branch, verified or not, has brought this root. */
  onBlockRoot(root: Uint8Array): void {
    this.#parked.onBlockRoot(root);
  }

  /** The head moved, or a root of its branch became verified: judges what waited for a root that is stored now. */
  onStored(isStored: (root: Uint8Array) => boolean): void {
    for (const exit of this.#parked.release(isStored)) {
      const verdict = this.#deps.judgeAgain(exit, this.#held.has(exit));
      this.#answer(exit, verdict);
    }
  }

  /** Gives up what has waited too long; to be called about once a second. */
  sweep(): void {
    const { clock, isSynced, penalize } = this.#deps;
    const faults = new Map<string, number>();
    for (const { exit, isUnproven } of this.#parked.expire(clock.monotonicMs())) {
      this.#answer(exit, UNKNOWN_ROOT);
      if (isUnproven && exit.peerId !== null) faults.set(exit.peerId, (faults.get(exit.peerId) ?? 0) + 1);
    }
    // Behind the others, a node cannot tell what is forged.
    if (isSynced()) for (const [peerId, count] of faults) penalize(peerId, "parkedExpired", count);
  }

  /** Answers whatever is held. */
  stop(): void {
    for (const exit of [...this.#held.keys()]) this.#answer(exit, UNKNOWN_ROOT);
  }

  #park({ ssz, root, source, peerId }: WaitingExit) {
    const { clock, slotMs, isSynced, penalize } = this.#deps;
    const expiresMs = clock.monotonicMs() + PARKED_LIFETIME_SLOTS * slotMs;
    if (peerId !== null && this.#parked.isNewRoot(root) && isSynced()) penalize(peerId, "unknownRoots", 1);
    const result = this.#parked.park({ ssz, root, source, peerId, expiresMs });
    if (result.outcome === "PARKED" && result.evicted !== null) this.#answer(result.evicted, UNKNOWN_ROOT);
    return result;
  }

  #answer(exit: ParkedExit, verdict: TriggeredExitVerdict): void {
    const held = this.#held.get(exit);
    if (held === undefined) return;
    this.#held.delete(exit);
    held.cancelTimer();
    held.answer(verdict);
    const left = (this.#heldByPeer.get(held.peerId) ?? 1) - 1;
    if (left === 0) this.#heldByPeer.delete(held.peerId);
    else this.#heldByPeer.set(held.peerId, left);
  }
}
