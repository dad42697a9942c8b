/** The way of every triggered exit through the node, whoever brought it: judged, pooled, spread. */
import { toHex } from "@lodestar/utils";
import type { Clock } from "./base/clock.ts";
import { errorMessage } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import type { MessageOrigin } from "./execution/follower.ts";
import type { GossipContext, PeerFault, PublishOutcome } from "./network/network.ts";
import type { NodeEventSink } from "./node_events.ts";
import { ExitParking, type WaitingExit } from "./node_parking.ts";
import type { JournalRecord, PoolJournal } from "./pool/journal.ts";
import type { TriggeredExitPool } from "./pool/triggered_exits.ts";
import { UnsentExits } from "./pool/unsent_exits.ts";
import { TriggeredExit } from "./spec/types.ts";
import type { StateView } from "./state/view.ts";
import type {
  TriggeredExitOutcome,
  TriggeredExitValidator,
  VerifiedTriggeredExit,
} from "./validation/triggered_exit.ts";
import type { OperationSource, TriggeredExitCode, TriggeredExitVerdict } from "./validation/verdict.ts";

/** What became of an exit that was submitted to this node. */
export type Submission =
  | { readonly status: "published"; readonly recipients: number }
  | { readonly status: "known" }
  /** Its root is not stored yet: it is judged again when it is, and published if it is valid then. */
  | { readonly status: "deferred" }
  | { readonly status: "refused"; readonly code: TriggeredExitCode };

export interface NodeExitsDeps {
  readonly validator: TriggeredExitValidator;
  readonly pool: TriggeredExitPool;
  headView(): StateView;
  /** `isLate`: gossip brought it before, and it was ignored then. */
  publish(ssz: Uint8Array, isLate: boolean): Promise<PublishOutcome>;
  /** The same operation against the newest root; null where the node follows no contract, or it is not the contract's. */
  proveAgain(exit: TriggeredExit): TriggeredExit | null;
  onAccepted(exit: TriggeredExit): void;
  isSynced(): boolean;
  /** The peer brought `count` exits whose root no block had. */
  penalize(peerId: string, fault: PeerFault, count: number): void;
  readonly slotMs: number;
  /** Null where nothing is kept over a restart. */
  readonly journal: Pick<PoolJournal, "append"> | null;
  /** What the journal held at the start, oldest first. */
  readonly restored: readonly JournalRecord[];
  readonly onEvent: NodeEventSink;
  readonly clock: Clock;
  readonly log: Logger;
}

const SUBMITTED_ROOT_GONE: ReadonlySet<TriggeredExitCode> = new Set(["ROOT_EXPIRING", "ROOT_EXPIRED"]);
/** What we form is the contract's: its block may be older than the fork, and its root never stored. */
const FORMED_ROOT_GONE: ReadonlySet<TriggeredExitCode> = new Set([...SUBMITTED_ROOT_GONE, "UNKNOWN_ROOT"]);

/** Exits proven again with one head, at 0.2 ms each, soonest expiry first or nearly; the rest follows with the next. */
const RENEWED_PER_HEAD = 128;

/** Exits of the journal judged at once, 20 µs each, so that gossip does not wait for a full one. */
const RESTORED_PER_SWEEP = 256;

interface Arrival {
  readonly source: OperationSource;
  readonly peerId: string | null;
  readonly isLocal?: boolean;
}

export class NodeExits {
  readonly #deps: NodeExitsDeps;
  readonly #unsent = new UnsentExits();
  readonly #parking: ExitParking;
  /** Newest last; judged as soon as the node is synced. */
  readonly #restored: JournalRecord[];

  constructor(deps: NodeExitsDeps) {
    this.#deps = deps;
    // Of a validator the last record counts: the better proof, or the one that a user adopted.
    const byPubkey = new Map(deps.restored.map((record) => [pubkeyHex(record.ssz), record]));
    this.#restored = [...byPubkey.values()];
    this.#parking = new ExitParking({
      slotMs: deps.slotMs,
      isSynced: deps.isSynced,
      judgeAgain: (exit, isHeld) => this.#judgeAgain(exit, isHeld),
      penalize: deps.penalize,
      clock: deps.clock,
    });
  }

  /** Exits that wait for their root. */
  get parkedCount(): number {
    return this.#parking.size;
  }

  /** A gossip message as it came off the wire. */
  onGossip(
    wireData: Uint8Array,
    { peerId, receivedMs }: Pick<GossipContext, "peerId" | "receivedMs">,
  ): TriggeredExitVerdict | Promise<TriggeredExitVerdict> {
    const startedMs = this.#deps.clock.monotonicMs();
    const outcome = this.#deps.validator.validateWireData(wireData);
    this.#conclude(outcome, { source: "gossip", peerId }, startedMs);
    const { ssz, root, verdict } = outcome;
    if (verdict.code !== "UNKNOWN_ROOT" || ssz === null || root === null) return verdict;
    return this.#parking.hold({ ssz, root, source: "gossip", peerId }, receivedMs) ?? verdict;
  }

  /** An operation that this node formed of a message in the contract. */
  onFormed(exit: TriggeredExit, origin: MessageOrigin): void {
    const pubkey = toHex(exit.data.pubkey);
    this.#deps.onEvent({
      event: "operation_formed",
      pubkey,
      messageIndex: origin.index.toString(),
      sender: toHex(origin.sender),
      transactionHash: toHex(origin.transactionHash),
      blockNumber: origin.blockNumber,
    });
    const outcome = this.#judgeByLastingRoot(exit, { source: "execution", peerId: null }, FORMED_ROOT_GONE);
    if (outcome.operation !== null) void this.#spread(outcome.operation, pubkey);
    else this.#parkOwn(outcome, "execution");
  }

  /** An operation that a user of the API submitted. */
  async submit(exit: TriggeredExit): Promise<Submission> {
    const outcome = this.#judgeByLastingRoot(exit, { source: "api", peerId: null }, SUBMITTED_ROOT_GONE);
    const { operation, verdict, validatorIndex } = outcome;
    if (operation !== null) {
      return { status: "published", recipients: await this.#spread(operation, toHex(exit.data.pubkey)) };
    }
    if (verdict.code === "ALREADY_SEEN" && validatorIndex !== null && this.#isPooled(validatorIndex, exit)) {
      this.#deps.pool.adopt(validatorIndex);
      this.#keep(TriggeredExit.serialize(exit), true);
      return { status: "known" };
    }
    return this.#parkOwn(outcome, "api") ? { status: "deferred" } : { status: "refused", code: verdict.code };
  }

  /** A block was imported, on any branch, whose payload has this root. */
  onBlockRoot(root: Uint8Array): void {
    this.#parking.onBlockRoot(root);
  }

  /** Once a second or so: gives up what has waited too long for its root, and judges what the journal held. */
  sweep(): void {
    this.#parking.sweep();
    if (!this.#deps.isSynced()) return;
    for (const { ssz, isLocal } of this.#restored.splice(0, RESTORED_PER_SWEEP)) {
      const exit = TriggeredExit.deserialize(ssz);
      const outcome = this.#judgeByLastingRoot(exit, { source: "journal", peerId: null, isLocal }, SUBMITTED_ROOT_GONE);
      if (outcome.operation === null) this.#parkOwn(outcome, isLocal ? "api" : "journal");
      else if (isLocal) void this.#spread(outcome.operation, toHex(exit.data.pubkey));
    }
  }

  stop(): void {
    this.#parking.stop();
  }

  /**
   * The head moved, or roots of its branch were verified: what waited for them is judged, what waits for a block longer than
   * its root lasts is proven again, and what reached nobody is sent again.
   */
  onHead(): void {
    const { roots } = this.#deps.headView();
    this.#parking.onStored((root) => roots.has(root));
    if (!this.#deps.isSynced()) return;
    this.#renew();
    this.#refill();
    const { validator } = this.#deps;
    for (const exit of this.#unsent.take(roots, (unsent) => validator.isStillValid(unsent))) {
      void this.#spread(exit, toHex(exit.pubkey));
    }
  }

  /** Every node that follows the contract does so at the same head, against the same root, so that all make the same bytes. */
  #renew(): void {
    const { headView, pool, proveAgain } = this.#deps;
    let renewed = 0;
    for (const { ssz } of [...pool.expiring(headView())]) {
      const exit = TriggeredExit.deserialize(ssz);
      const fresh = proveAgain(exit);
      if (fresh === null || TriggeredExit.equals(fresh, exit)) continue;
      if (++renewed > RENEWED_PER_HEAD) break;
      const { operation } = this.#judge(fresh, { source: "execution", peerId: null });
      if (operation !== null) void this.#spread(operation, toHex(exit.data.pubkey));
    }
  }

  /** What found the pool full comes in, silently: others have seen it, and hold it in the same way. */
  #refill(): void {
    const { headView, pool, proveAgain, validator } = this.#deps;
    for (const exit of pool.takeWaiting(RENEWED_PER_HEAD)) {
      const fresh = proveAgain(exit);
      // Without the contract, or where its branch has lost the message, nobody can prove it here.
      if (fresh === null) continue;
      const { operation, verdict, ssz, validatorIndex } = validator.validateAgain(TriggeredExit.serialize(fresh));
      if (operation !== null) {
        pool.insert(operation, "network", headView().roots);
        this.#keep(operation.ssz, false);
      } else if (verdict.result === "ignore" && ssz !== null && validatorIndex !== null) {
        pool.keepWaiting({ ssz, validatorIndex });
      }
    }
  }

  /** Judges an exit; one that fails by a root which does not last is proven again against the newest and judged by that. */
  #judgeByLastingRoot(
    exit: TriggeredExit,
    arrival: Arrival,
    rootGone: ReadonlySet<TriggeredExitCode>,
  ): TriggeredExitOutcome {
    const outcome = this.#judge(exit, arrival);
    const fresh = rootGone.has(outcome.verdict.code) ? this.#deps.proveAgain(exit) : null;
    if (fresh === null || TriggeredExit.equals(fresh, exit)) return outcome;
    return this.#judge(fresh, arrival);
  }

  #judgeAgain({ ssz, source, peerId }: WaitingExit, isHeld: boolean): TriggeredExitVerdict {
    const exit = TriggeredExit.deserialize(ssz);
    const { operation, verdict } = this.#judge(exit, { source, peerId });
    if (operation !== null && !isHeld) void this.#spread(operation, toHex(exit.data.pubkey), source === "gossip");
    return verdict;
  }

  #parkOwn({ verdict, ssz, root }: TriggeredExitOutcome, source: Exclude<OperationSource, "gossip">): boolean {
    if (verdict.code !== "UNKNOWN_ROOT" || ssz === null || root === null) return false;
    return this.#parking.park({ ssz, root, source, peerId: null });
  }

  #judge(exit: TriggeredExit, arrival: Arrival): TriggeredExitOutcome {
    const startedMs = this.#deps.clock.monotonicMs();
    const outcome = this.#deps.validator.validateSerialized(TriggeredExit.serialize(exit));
    this.#conclude(outcome, arrival, startedMs, exit);
    return outcome;
  }

  /** Takes an accepted exit into the pool in the same synchronous step as the verdict, and tells of the verdict. */
  #conclude(outcome: TriggeredExitOutcome, arrival: Arrival, startedMs: number, exit?: TriggeredExit): void {
    const { source, peerId, isLocal = source === "api" } = arrival;
    const { pool, clock, onEvent } = this.#deps;
    const { operation, verdict } = outcome;
    const known = exit ?? (outcome.ssz === null ? null : TriggeredExit.deserialize(outcome.ssz));
    if (operation !== null && known !== null) {
      const inserted = pool.insert(operation, isLocal ? "local" : "network", this.#deps.headView().roots);
      if (source !== "journal" && (inserted === "ADDED" || inserted === "REPLACED")) this.#keep(operation.ssz, isLocal);
      this.#deps.onAccepted(known);
    }
    onEvent({
      event: "verdict",
      topic: "triggered_exit",
      source,
      peerId,
      pubkey: known === null ? null : toHex(known.data.pubkey),
      messageIndex: known === null ? null : known.messageBusSignal.messageIndex.toString(),
      result: verdict.result,
      code: verdict.code,
      elapsedMs: clock.monotonicMs() - startedMs,
    });
  }

  async #spread(exit: VerifiedTriggeredExit, pubkey: string, isLate = false): Promise<number> {
    const { pool, publish, onEvent, log } = this.#deps;
    // A duplicate has been on its way before: another node formed the same bytes.
    let outcome = { recipients: 0, duplicate: false };
    try {
      outcome = await publish(exit.ssz, isLate);
    } catch (error) {
      log.warn(
        { pubkey, error: errorMessage(error) },
        "an exit was not published; it is tried again with the next head",
      );
    }
    const { recipients, duplicate } = outcome;
    if (recipients === 0 && !duplicate) this.#unsent.keep(exit);
    pool.onPublished(exit.validatorIndex, recipients);
    onEvent({ event: "published", pubkey, recipients });
    return recipients;
  }

  #keep(ssz: Uint8Array, isLocal: boolean): void {
    const { journal, pool } = this.#deps;
    const waiting = this.#restored;
    journal?.append(
      { ssz, isLocal },
      { size: pool.size + waiting.length, records: () => [...waiting, ...pool.records()] },
    );
  }

  #isPooled(validatorIndex: number, exit: TriggeredExit): boolean {
    const pooled = this.#deps.pool.get(validatorIndex);
    return pooled !== null && Buffer.compare(pooled.ssz, TriggeredExit.serialize(exit)) === 0;
  }
}

function pubkeyHex(ssz: Uint8Array): string {
  return toHex(TriggeredExit.deserialize(ssz).data.pubkey);
}
