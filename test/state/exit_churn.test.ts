import { FAR_FUTURE_EPOCH, MAX_SEED_LOOKAHEAD, SLOTS_PER_EPOCH } from "@lodestar/params";
import { beforeAll, describe, expect, test } from "vitest";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import type { TriggeredExit } from "../../src/spec/types.ts";
import { type CachedBeaconStateMessageBus, type CachedState, isMessageBusState } from "../../src/state/beacon_state.ts";
import { processSlots, stateTransition } from "../../src/state/transition.ts";
import { processTriggeredExit } from "../../src/state/triggered_exit.ts";
import { buildBlock } from "./build_block.ts";
import { addressOf, CAST, createGenesis, VALIDATORS } from "./reachable_states.ts";

/** The minimal preset's configuration, and the specification's arithmetic, apart from the library's. */
const GWEI = 1_000_000_000n;
const MIN_PER_EPOCH_CHURN_LIMIT_ELECTRA = 64n * GWEI;
const MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT = 128n * GWEI;
const CHURN_LIMIT_QUOTIENT = 32n;
const EFFECTIVE_BALANCE_INCREMENT = GWEI;
const MIN_VALIDATOR_WITHDRAWABILITY_DELAY = 256;

function max<T extends bigint | number>(a: T, b: T): T {
  return a > b ? a : b;
}

/** `compute_exit_epoch_and_update_churn`, over what it reads and writes. */
class ExitQueue {
  earliestExitEpoch: number;
  exitBalanceToConsume: bigint;

  constructor(state: CachedState) {
    this.earliestExitEpoch = state.earliestExitEpoch;
    this.exitBalanceToConsume = BigInt(state.exitBalanceToConsume);
  }

  push(state: CachedState, effectiveBalance: number): number {
    const epoch = Math.floor(state.slot / SLOTS_PER_EPOCH);
    const exitBalance = BigInt(effectiveBalance);
    let earliestExitEpoch = max(this.earliestExitEpoch, epoch + 1 + MAX_SEED_LOOKAHEAD);
    const churn = activationExitChurnLimit(state, epoch);
    let toConsume = this.earliestExitEpoch < earliestExitEpoch ? churn : this.exitBalanceToConsume;
    if (exitBalance > toConsume) {
      const additionalEpochs = (exitBalance - toConsume - 1n) / churn + 1n;
      earliestExitEpoch += Number(additionalEpochs);
      toConsume += additionalEpochs * churn;
    }
    this.exitBalanceToConsume = toConsume - exitBalance;
    this.earliestExitEpoch = earliestExitEpoch;
    return earliestExitEpoch;
  }
}

function activationExitChurnLimit(state: CachedState, epoch: number): bigint {
  let total = 0n;
  for (const { activationEpoch, exitEpoch, effectiveBalance } of state.validators.getAllReadonlyValues()) {
    if (activationEpoch <= epoch && epoch < exitEpoch) total += BigInt(effectiveBalance);
  }
  const churn = max(MIN_PER_EPOCH_CHURN_LIMIT_ELECTRA, max(EFFECTIVE_BALANCE_INCREMENT, total) / CHURN_LIMIT_QUOTIENT);
  const balanceChurn = churn - (churn % EFFECTIVE_BALANCE_INCREMENT);
  return balanceChurn < MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT
    ? balanceChurn
    : MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT;
}

describe.each([
  ["from genesis on", 0],
  ["after an upgrade from Fulu in epoch 1", 1],
])("exit churn on a chain %s", (_, forkEpoch) => {
  const tree = new MessageTree();
  let state: CachedBeaconStateMessageBus;

  /** The exits of some validators, proven against the root after all messages. */
  function exitsOf(validators: readonly number[]): TriggeredExit[] {
    return validators.map((index) => ({
      messageBusSignal: {
        proof: tree.proofFor(index, tree.count),
        messageSender: addressOf(index),
        messageIndex: BigInt(index),
      },
      data: { pubkey: state.validators.getReadonly(index).pubkey },
    }));
  }

  function apply(pre: CachedState, block: ReturnType<typeof buildBlock>): CachedBeaconStateMessageBus {
    const options = {
      payloadStatus: "VALID",
      verifyProposer: true,
      verifySignatures: true,
      verifyStateRoot: true,
    } as const;
    const post = stateTransition(pre, block, options);
    if (!isMessageBusState(post)) throw new Error("The state is not of the fork");
    return post;
  }

  beforeAll(() => {
    const genesis = createGenesis(forkEpoch).state;
    for (let i = 0; i < VALIDATORS; i++) {
      const { pubkey } = genesis.validators.getReadonly(i);
      tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, addressOf(i), pubkey));
    }
    const pre = processSlots(genesis, (forkEpoch + 1) * SLOTS_PER_EPOCH + 1);
    state = apply(pre, buildBlock(pre, pre.slot + 1, { messageBusRoot: tree.rootAt(tree.count) }));
  });

  test("exit churn: each exit of 32, 100 or 2048 ETH leaves at the epoch that the specification's formula gives", () => {
    const post = state.clone() as CachedBeaconStateMessageBus;
    const queue = new ExitQueue(post);
    const order = [13, CAST.compounding[0], 14, CAST.large[0], 15, CAST.compounding[1], CAST.large[1], 16, 17, 18];
    const epochs = order.map((index) => {
      const { effectiveBalance } = post.validators.getReadonly(index);
      processTriggeredExit(post, exitsOf([index])[0] as TriggeredExit);
      post.commit();
      const { exitEpoch, withdrawableEpoch } = post.validators.getReadonly(index);
      expect(exitEpoch).toBe(queue.push(post, effectiveBalance));
      expect(withdrawableEpoch).toBe(exitEpoch + MIN_VALIDATOR_WITHDRAWABILITY_DELAY);
      expect(post.earliestExitEpoch).toBe(queue.earliestExitEpoch);
      expect(BigInt(post.exitBalanceToConsume)).toBe(queue.exitBalanceToConsume);
      return exitEpoch;
    });
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    // 2048 ETH are sixteen epochs of churn: the queue reaches far ahead.
    expect(epochs.at(-1)).toBeGreaterThan(state.epochCtx.epoch + 32);
  });

  test("exit churn: exits, requested exits and consolidations of one block share the queue as the specification orders them", () => {
    const requested = 20;
    const [source, target] = [21, CAST.large[0]];
    const exiting = [13, CAST.compounding[0], 14];
    const pubkeyOf = (index: number) => state.validators.getReadonly(index).pubkey;
    const block = buildBlock(state, state.slot + 1, {
      messageBusRoot: tree.rootAt(tree.count),
      triggeredExits: exitsOf(exiting),
      edit({ body: { executionRequests } }) {
        executionRequests.withdrawals = [
          { sourceAddress: addressOf(requested), validatorPubkey: pubkeyOf(requested), amount: 0n },
          // A second way out of a validator that a triggered exit of the same block has taken out: ignored.
          { sourceAddress: addressOf(13), validatorPubkey: pubkeyOf(13), amount: 0n },
        ];
        executionRequests.consolidations = [
          { sourceAddress: addressOf(source), sourcePubkey: pubkeyOf(source), targetPubkey: pubkeyOf(target) },
          { sourceAddress: addressOf(14), sourcePubkey: pubkeyOf(14), targetPubkey: pubkeyOf(target) },
        ];
      },
    });
    const post = apply(state, block);
    const queue = new ExitQueue(state);
    for (const index of [...exiting, requested]) {
      const { effectiveBalance } = state.validators.getReadonly(index);
      expect(post.validators.getReadonly(index).exitEpoch).toBe(queue.push(state, effectiveBalance));
    }
    // Consolidations have a churn of their own.
    expect(post.earliestExitEpoch).toBe(queue.earliestExitEpoch);
    expect(BigInt(post.exitBalanceToConsume)).toBe(queue.exitBalanceToConsume);
    expect(post.pendingConsolidations.length).toBe(1);
    expect(post.validators.getReadonly(source).exitEpoch).toBe(post.earliestConsolidationEpoch);
  });

  test("exit churn: balance that an epoch leaves over is used by the next block, and renewed by a later epoch", () => {
    const contents = (index: number) => ({
      messageBusRoot: tree.rootAt(tree.count),
      triggeredExits: exitsOf([index]),
    });
    const queue = new ExitQueue(state);
    let post = state;
    for (const [index, slotsLater] of [
      [13, 1],
      [14, 1],
      [15, 3 * SLOTS_PER_EPOCH],
    ] as const) {
      const pre = processSlots(post, post.slot + slotsLater);
      const { effectiveBalance } = pre.validators.getReadonly(index);
      post = apply(pre, buildBlock(pre, pre.slot + 1, contents(index)));
      expect(post.validators.getReadonly(index).exitEpoch).toBe(queue.push(post, effectiveBalance));
    }
    expect(post.validators.getReadonly(15).exitEpoch).toBeGreaterThan(post.validators.getReadonly(14).exitEpoch);
  });

  test("exit churn: a validator without an execution address stays, whoever asks", () => {
    const post = state.clone() as CachedBeaconStateMessageBus;
    for (const index of CAST.bls) {
      expect(() => processTriggeredExit(post, exitsOf([index])[0] as TriggeredExit)).toThrow(/NO_EXECUTION_ADDRESS/);
      expect(post.validators.getReadonly(index).exitEpoch).toBe(FAR_FUTURE_EPOCH);
    }
  });
});
