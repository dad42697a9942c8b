/**
 * The verdict on a triggered exit: one pure function for gossip, API and the exits that the node forms itself.
 *
 * ACCEPT is judged on the head's state. A rule that fails REJECTs only where no honest, synced peer can think
 * otherwise: where it fails in the finalized view too, in a way that no later state mends. Rules are in the order of
 * the vectors' table, cheap ones first; the first that fails decides.
 * @spec specs/message-bus/p2p-interface.md#triggered_exit
 */
import { MESSAGE_BUS_CAPACITY, TRIGGERED_EXIT_SIZE_BYTES } from "../spec/constants.ts";
import { getTriggeredExitLeaf } from "../spec/message_leaf.ts";
import { computeMessageBusRoot, PROOF_SIZE_BYTES, readClaimedCount, readUint64 } from "../state/proof.ts";
import {
  getSeasonedEpoch,
  hasExecutionWithdrawalCredential,
  isExitInitiated,
  isWithdrawalAddress,
} from "../state/triggered_exit.ts";
import type { StateView } from "../state/view.ts";
import { isLasting, SeenExits } from "./seen.ts";
import { decompressSnappyBlock, readDeclaredSize } from "./snappy_block.ts";
import type { TriggeredExitCode, TriggeredExitVerdict, VerdictResult } from "./verdict.ts";

/** The message contract as far as finalized execution blocks hold it, for a node that follows the execution layer. */
export interface FollowedContract {
  /** Messages that never change any more. */
  readonly finalizedCount: bigint;
  /** A message's leaf, 32 bytes; null where that message is not followed. */
  leafAt(index: bigint): Uint8Array | null;
  /** What `getMessageRoot()` was with `count` messages, 32 bytes; null where the count is not followed. */
  rootAt(count: bigint): Uint8Array | null;
}

/** What a verdict is made of besides the operation: values that do not change while it is made. */
export interface TriggeredExitContext {
  readonly head: StateView;
  readonly finalized: StateView;
  /** Of the wall clock, which may be ahead of the head's. */
  readonly clockEpoch: number;
  readonly shardCommitteePeriodEpochs: number;
  readonly synced: boolean;
  readonly seen: Pick<SeenExits, "has">;
  /** Null where the node follows no execution layer. */
  readonly contract: FollowedContract | null;
}

declare const verified: unique symbol;

/** An exit that was found VALID. Only this file makes one, so that whoever holds one need not check again. */
export interface VerifiedTriggeredExit {
  readonly [verified]: true;
  readonly validatorIndex: number;
  /** 48 bytes. */
  readonly pubkey: Uint8Array;
  /** The message root that it is proven against, 32 bytes. */
  readonly root: Uint8Array;
  /** The serialized `TriggeredExit`, 1132 bytes. */
  readonly ssz: Uint8Array;
}

export interface TriggeredExitOutcome {
  readonly verdict: TriggeredExitVerdict;
  /** Set when VALID. */
  readonly operation: VerifiedTriggeredExit | null;
  /** In the head's registry, where the rules came to look there. */
  readonly validatorIndex: number | null;
  /** The computed root (32 bytes), where the rules came to compute it: what an UNKNOWN_ROOT waits for. */
  readonly root: Uint8Array | null;
  /** The operation's 1132 bytes, where the wire data held as many. */
  readonly ssz: Uint8Array | null;
}

/** Offsets in the serialized operation; all its fields have fixed sizes. */
const COUNT_OFFSET = PROOF_SIZE_BYTES - 32;
const SENDER_OFFSET = PROOF_SIZE_BYTES;
const INDEX_OFFSET = SENDER_OFFSET + 20;
const PUBKEY_OFFSET = INDEX_OFFSET + 8;

/**
 * Judges an operation as it came off the wire: a snappy block. Never throws, whatever the bytes.
 * @spec specs/message-bus/p2p-interface.md#decode_triggered_exit
 */
export function judgeTriggeredExit(wireData: Uint8Array, context: TriggeredExitContext): TriggeredExitOutcome {
  // [REJECT] The data declares a length that is a uint32.
  const declaredSize = readDeclaredSize(wireData);
  if (declaredSize === null) return malformed("BAD_SNAPPY");

  // [REJECT] The declared length is that of a `TriggeredExit`.
  if (declaredSize !== TRIGGERED_EXIT_SIZE_BYTES) return malformed("WRONG_LENGTH");

  // [REJECT] The data is a snappy block of that length.
  const ssz = decompressSnappyBlock(wireData);
  if (ssz === null) return malformed("BAD_SNAPPY");

  return judgeSerializedTriggeredExit(ssz, context);
}

/** Judges an operation's SSZ, which the outcome refers to. Never throws, whatever the bytes. */
export function judgeSerializedTriggeredExit(ssz: Uint8Array, context: TriggeredExitContext): TriggeredExitOutcome {
  // [REJECT] The data is a `TriggeredExit`: any bytes of its length are.
  if (ssz.length !== TRIGGERED_EXIT_SIZE_BYTES) return malformed("WRONG_LENGTH");

  return { ...applyRules(ssz, context), ssz };
}

type RulesOutcome = Omit<TriggeredExitOutcome, "ssz">;

/** @spec specs/message-bus/p2p-interface.md#validate_triggered_exit_gossip */
function applyRules(ssz: Uint8Array, context: TriggeredExitContext): RulesOutcome {
  const { head, finalized, clockEpoch, shardCommitteePeriodEpochs } = context;

  // [IGNORE] The node is synced.
  if (!context.synced) return fail("ignore", "NOT_SYNCED");

  // [IGNORE] No valid exit of the validator was seen, or the root that it was proven against no longer lasts.
  const pubkey = ssz.subarray(PUBKEY_OFFSET);
  const validatorIndex = head.getValidatorIndex(pubkey);
  if (context.seen.has(pubkey, head.roots)) return fail("ignore", "ALREADY_SEEN", validatorIndex);

  // [REJECT] The last sibling is a message count that the contract can reach.
  const count = readClaimedCount(ssz, COUNT_OFFSET);
  if (count === null) return fail("reject", "BAD_COUNT", validatorIndex);

  // [REJECT] `message_index` is below the contract's capacity and below the claimed count.
  const messageIndex = readUint64(ssz, INDEX_OFFSET);
  if (messageIndex >= MESSAGE_BUS_CAPACITY || messageIndex >= count) {
    return fail("reject", "INDEX_OUT_OF_RANGE", validatorIndex);
  }

  // [REJECT] The pubkey is in the registry. Who may exit has been there for SHARD_COMMITTEE_PERIOD, so every synced node
  // knows it; [IGNORE] while more than that is not finalized.
  const validator = validatorIndex === null ? null : head.getValidator(validatorIndex);
  if (validatorIndex === null || validator === null) {
    const unfinalizedEpochs = clockEpoch - finalized.epoch;
    return fail(unfinalizedEpochs > shardCommitteePeriodEpochs ? "ignore" : "reject", "UNKNOWN_VALIDATOR");
  }

  // Registries only grow: in the finalized view an index is the same validator's, or nobody's yet.

  // [REJECT] The validator has 0x01 or 0x02 withdrawal credentials; [IGNORE] while it may still get them, or while the
  // finalized view does not have it.
  if (!hasExecutionWithdrawalCredential(validator)) {
    const mayChange = validator.withdrawalCredentials[0] === 0x00 || finalized.getValidator(validatorIndex) === null;
    return fail(mayChange ? "ignore" : "reject", "NO_EXECUTION_ADDRESS", validatorIndex);
  }

  // [REJECT] The withdrawal address is the sender; [IGNORE] while no address is finalized: it never changes afterwards.
  const sender = ssz.subarray(SENDER_OFFSET, INDEX_OFFSET);
  if (!isWithdrawalAddress(validator, sender)) {
    const finalizedValidator = finalized.getValidator(validatorIndex);
    const isFinal = finalizedValidator !== null && hasExecutionWithdrawalCredential(finalizedValidator);
    return fail(isFinal ? "reject" : "ignore", "WRONG_SENDER", validatorIndex);
  }

  // [REJECT] The validator's exit is not initiated in the finalized view; [IGNORE] nor at the head.
  if (isExitInitiated(validator)) {
    const finalizedValidator = finalized.getValidator(validatorIndex);
    const isFinal = finalizedValidator !== null && isExitInitiated(finalizedValidator);
    return fail(isFinal ? "reject" : "ignore", "EXIT_INITIATED", validatorIndex);
  }

  // [REJECT] The validator has been active for SHARD_COMMITTEE_PERIOD by the epoch after the clock's; [IGNORE] by the head's.
  const seasonedEpoch = getSeasonedEpoch(validator, shardCommitteePeriodEpochs);
  if (head.epoch < seasonedEpoch) {
    return fail(seasonedEpoch > clockEpoch + 1 ? "reject" : "ignore", "TOO_YOUNG", validatorIndex);
  }

  // [IGNORE] The validator has no pending partial withdrawal.
  if (head.hasPendingWithdrawal(validatorIndex)) return fail("ignore", "PENDING_WITHDRAWAL", validatorIndex);

  const leaf = getTriggeredExitLeaf(sender, pubkey);
  const root = computeMessageBusRoot(leaf, ssz.subarray(0, PROOF_SIZE_BYTES), messageIndex);
  if (!head.roots.has(root)) {
    // [REJECT] The finalized messages of a followed contract do not contradict the proof.
    // [IGNORE] They do not show that its root has left the window, or that it never stood at the end of a block.
    const { contract } = context;
    const isDecided = contract !== null && count <= contract.finalizedCount;
    const [trueLeaf, trueRoot] = isDecided ? [contract.leafAt(messageIndex), contract.rootAt(count)] : [null, null];
    if (trueLeaf !== null && trueRoot !== null) {
      return isEqual(leaf, trueLeaf) && isEqual(root, trueRoot)
        ? fail("ignore", "ROOT_EXPIRED", validatorIndex, root)
        : fail("reject", "FORGED_PROOF", validatorIndex, root);
    }

    // [IGNORE] The computed root is stored at the head: it may be that of a block that is on its way.
    return fail("ignore", "UNKNOWN_ROOT", validatorIndex, root);
  }

  // [IGNORE] The root outlasts the next GOSSIP_ROOT_MARGIN payloads: no proposer may be left that could include the exit.
  if (!isLasting(root, head.roots)) return fail("ignore", "ROOT_EXPIRING", validatorIndex, root);

  // What is kept has memory of its own: the message's may be part of a larger chunk.
  const own = new Uint8Array(ssz);
  const operation = { validatorIndex, pubkey: own.subarray(PUBKEY_OFFSET), root, ssz: own };
  return {
    verdict: { result: "accept", code: "VALID" },
    operation: operation as unknown as VerifiedTriggeredExit,
    validatorIndex,
    root,
  };
}

function malformed(code: "BAD_SNAPPY" | "WRONG_LENGTH"): TriggeredExitOutcome {
  return { ...fail("reject", code), ssz: null };
}

function fail(
  result: Exclude<VerdictResult, "accept">,
  code: Exclude<TriggeredExitCode, "VALID">,
  validatorIndex: number | null = null,
  root: Uint8Array | null = null,
): RulesOutcome {
  return { verdict: { result, code }, operation: null, validatorIndex, root };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** What the node knows at this moment. */
export interface TriggeredExitViews {
  readonly head: StateView;
  readonly finalized: StateView;
  readonly synced: boolean;
  readonly contract: FollowedContract | null;
}

export interface TriggeredExitValidatorDependencies {
  readonly shardCommitteePeriodEpochs: number;
  getViews(): TriggeredExitViews;
  clockEpoch(): number;
}

const NOTHING_SEEN: TriggeredExitContext["seen"] = { has: () => false };

/**
 * Judges exits on the node's current views, and remembers the valid ones: the last check and the memory of it are one
 * synchronous step, so that of two proofs that arrive together one is VALID.
 */
export class TriggeredExitValidator {
  readonly #seen = new SeenExits();
  readonly #dependencies: TriggeredExitValidatorDependencies;

  constructor(dependencies: TriggeredExitValidatorDependencies) {
    this.#dependencies = dependencies;
  }

  /** Validators of which a valid exit is remembered. */
  get seenCount(): number {
    return this.#seen.size;
  }

  /** @param wireData a snappy block, as gossip carries it. */
  validateWireData(wireData: Uint8Array): TriggeredExitOutcome {
    return this.#remember(judgeTriggeredExit(wireData, this.#context()));
  }

  /** @param ssz the operation's. */
  validateSerialized(ssz: Uint8Array): TriggeredExitOutcome {
    return this.#remember(judgeSerializedTriggeredExit(ssz, this.#context()));
  }

  /** Whether what was found VALID before would be found so now, the memory of it left aside. */
  isStillValid({ ssz }: VerifiedTriggeredExit): boolean {
    return judgeSerializedTriggeredExit(ssz, { ...this.#context(), seen: NOTHING_SEEN }).operation !== null;
  }

  /** Judges what was found VALID before by another proof, the memory of it left aside. */
  validateAgain(ssz: Uint8Array): TriggeredExitOutcome {
    return this.#remember(judgeSerializedTriggeredExit(ssz, { ...this.#context(), seen: NOTHING_SEEN }));
  }

  /** To be called with every new head: forgets what its state makes useless. */
  onHead(head: StateView): void {
    this.#seen.prune(head.roots);
  }

  #remember(outcome: TriggeredExitOutcome): TriggeredExitOutcome {
    const { operation } = outcome;
    if (operation !== null) this.#seen.add(operation.pubkey, operation.root);
    return outcome;
  }

  #context(): TriggeredExitContext {
    const dependencies = this.#dependencies;
    return {
      ...dependencies.getViews(),
      clockEpoch: dependencies.clockEpoch(),
      shardCommitteePeriodEpochs: dependencies.shardCommitteePeriodEpochs,
      seen: this.#seen,
    };
  }
}
