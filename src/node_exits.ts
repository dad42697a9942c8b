/** The way of every triggered exit through the node, whoever brought it: judged, pooled, spread. */
import { toHex } from "@lodestar/utils";
import type { Clock } from "./base/clock.ts";
import { errorMessage } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import type { MessageOrigin } from "./execution/follower.ts";
import type { PublishOutcome } from "./network/network.ts";
import type { NodeEventSink, OperationSource } from "./node_events.ts";
import type { TriggeredExitPool } from "./pool/triggered_exits.ts";
import { TriggeredExit } from "./spec/types.ts";
import type { StateView } from "./state/view.ts";
import { isLasting } from "./validation/seen.ts";
import type {
  TriggeredExitOutcome,
  TriggeredExitValidator,
  VerifiedTriggeredExit,
} from "./validation/triggered_exit.ts";
import type { TriggeredExitCode, TriggeredExitVerdict } from "./validation/verdict.ts";

/** What became of an exit that was submitted to this node. */
export type Submission =
  | { readonly status: "published"; readonly recipients: number }
  | { readonly status: "known" }
  | { readonly status: "refused"; readonly code: TriggeredExitCode };

export interface NodeExitsDeps {
  readonly validator: TriggeredExitValidator;
  readonly pool: TriggeredExitPool;
  headView(): StateView;
  publish(ssz: Uint8Array): Promise<PublishOutcome>;
  /** The same operation against the newest root; null where the node follows no contract, or it is not the contract's. */
  proveAgain(exit: TriggeredExit): TriggeredExit | null;
  onAccepted(exit: TriggeredExit): void;
  readonly onEvent: NodeEventSink;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Exits of ours that reached no peer yet; they are tried again with each head. The oldest is forgotten beyond it: the
 * pool still holds it.
 */
const MAX_UNSENT = 1_024;

const SUBMITTED_ROOT_GONE: ReadonlySet<TriggeredExitCode> = new Set(["ROOT_EXPIRING", "ROOT_EXPIRED"]);
/** What we form is the contract's: its block may be older than the fork, and its root never stored. */
const FORMED_ROOT_GONE: ReadonlySet<TriggeredExitCode> = new Set([...SUBMITTED_ROOT_GONE, "UNKNOWN_ROOT"]);

interface Arrival {
  readonly source: OperationSource;
  readonly peerId: string | null;
}

export class NodeExits {
  readonly #deps: NodeExitsDeps;
  readonly #unsent = new Map<number, VerifiedTriggeredExit>();

  constructor(deps: NodeExitsDeps) {
    this.#deps = deps;
  }

  /** A gossip message as it came off the wire. */
  onGossip(wireData: Uint8Array, peerId: string): TriggeredExitVerdict {
    const startedMs = this.#deps.clock.monotonicMs();
    const outcome = this.#deps.validator.validateWireData(wireData);
    this.#conclude(outcome, { source: "gossip", peerId }, startedMs);
    return outcome.verdict;
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
    const { operation } = this.#judgeByLastingRoot(exit, "execution", FORMED_ROOT_GONE);
    if (operation !== null) void this.#spread(operation, pubkey);
  }

  /** An operation that a user of the API submitted. */
  async submit(exit: TriggeredExit): Promise<Submission> {
    const outcome = this.#judgeByLastingRoot(exit, "api", SUBMITTED_ROOT_GONE);
    const { operation, verdict, validatorIndex } = outcome;
    if (operation !== null) {
      return { status: "published", recipients: await this.#spread(operation, toHex(exit.data.pubkey)) };
    }
    if (verdict.code === "ALREADY_SEEN" && validatorIndex !== null && this.#isPooled(validatorIndex, exit)) {
      this.#deps.pool.adopt(validatorIndex);
      return { status: "known" };
    }
    return { status: "refused", code: verdict.code };
  }

  /** The head moved: what reached nobody is sent again, while its root lasts. */
  onHead(): void {
    const { roots } = this.#deps.headView();
    for (const [validatorIndex, exit] of this.#unsent) {
      this.#unsent.delete(validatorIndex);
      if (isLasting(exit.root, roots)) void this.#spread(exit, toHex(TriggeredExit.deserialize(exit.ssz).data.pubkey));
    }
  }

  /** Judges an exit; one that fails by a root which does not last is proven again against the newest and judged by that. */
  #judgeByLastingRoot(
    exit: TriggeredExit,
    source: OperationSource,
    rootGone: ReadonlySet<TriggeredExitCode>,
  ): TriggeredExitOutcome {
    const outcome = this.#judge(exit, { source, peerId: null });
    const fresh = rootGone.has(outcome.verdict.code) ? this.#deps.proveAgain(exit) : null;
    if (fresh === null || TriggeredExit.equals(fresh, exit)) return outcome;
    return this.#judge(fresh, { source, peerId: null });
  }

  #judge(exit: TriggeredExit, arrival: Arrival): TriggeredExitOutcome {
    const startedMs = this.#deps.clock.monotonicMs();
    const outcome = this.#deps.validator.validateSerialized(TriggeredExit.serialize(exit));
    this.#conclude(outcome, arrival, startedMs, exit);
    return outcome;
  }

  /** Takes an accepted exit into the pool in the same synchronous step as the verdict, and tells of the verdict. */
  #conclude(outcome: TriggeredExitOutcome, { source, peerId }: Arrival, startedMs: number, exit?: TriggeredExit): void {
    const { pool, clock, onEvent } = this.#deps;
    const { operation, verdict } = outcome;
    const known = exit ?? (outcome.ssz === null ? null : TriggeredExit.deserialize(outcome.ssz));
    if (operation !== null && known !== null) {
      pool.insert(operation, source === "api" ? "local" : "network", this.#deps.headView().roots);
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

  async #spread(exit: VerifiedTriggeredExit, pubkey: string): Promise<number> {
    const { pool, publish, onEvent, log } = this.#deps;
    // A duplicate has been on its way before: another node formed the same bytes.
    let outcome = { recipients: 0, duplicate: false };
    try {
      outcome = await publish(exit.ssz);
    } catch (error) {
      log.warn(
        { pubkey, error: errorMessage(error) },
        "an exit was not published; it is tried again with the next head",
      );
    }
    const { recipients, duplicate } = outcome;
    if (recipients === 0 && !duplicate) this.#keepUnsent(exit);
    pool.onPublished(exit.validatorIndex, recipients);
    onEvent({ event: "published", pubkey, recipients });
    return recipients;
  }

  #keepUnsent(exit: VerifiedTriggeredExit): void {
    this.#unsent.set(exit.validatorIndex, exit);
    const oldest = this.#unsent.keys().next();
    if (this.#unsent.size > MAX_UNSENT && !oldest.done) this.#unsent.delete(oldest.value);
  }

  #isPooled(validatorIndex: number, exit: TriggeredExit): boolean {
    const pooled = this.#deps.pool.get(validatorIndex);
    return pooled !== null && Buffer.compare(pooled.ssz, TriggeredExit.serialize(exit)) === 0;
  }
}
