import { FAR_FUTURE_EPOCH, SLOTS_PER_EPOCH } from "@lodestar/params";
import { beforeAll, describe, expect, test } from "vitest";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import type { SignedBeaconBlock, TriggeredExit } from "../../src/spec/types.ts";
import { type CachedState, isMessageBusState } from "../../src/state/beacon_state.ts";
import { processSlots, stateTransition, type TransitionOptions } from "../../src/state/transition.ts";
import { buildBlock } from "./build_block.ts";
import { createTestGenesis, WITHDRAWAL_ADDRESS } from "./network.ts";

const CHECK_ALL: TransitionOptions = {
  payloadStatus: "VALID",
  verifyProposer: true,
  verifySignatures: true,
  verifyStateRoot: true,
};

function apply(state: CachedState, block: SignedBeaconBlock, options: Partial<TransitionOptions> = {}): CachedState {
  return stateTransition(state, block, { ...CHECK_ALL, ...options });
}

/** An exit message of the validator, alone in the contract: its operation, and the root that proves it. */
function exitOf(state: CachedState, validatorIndex: number): { exit: TriggeredExit; root: Uint8Array } {
  const { pubkey } = state.validators.getReadonly(validatorIndex);
  const tree = new MessageTree();
  tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, WITHDRAWAL_ADDRESS, pubkey));
  const messageBusSignal = { proof: tree.proofFor(0, 1), messageSender: WITHDRAWAL_ADDRESS, messageIndex: 0n };
  return { exit: { messageBusSignal, data: { pubkey } }, root: tree.rootAt(1) };
}

describe("a chain that crosses the fork in epoch 1", () => {
  const FORK_EPOCH = 1;
  const FORK_SLOT = FORK_EPOCH * SLOTS_PER_EPOCH;
  const states: CachedState[] = [];

  beforeAll(() => {
    let state = createTestGenesis(FORK_EPOCH).state;
    states.push(state);
    for (let slot = 1; slot <= 5 * SLOTS_PER_EPOCH; slot++) {
      state = apply(state, buildBlock(state, slot, { messageBusRoot: new Uint8Array(32).fill(slot) }));
      states.push(state);
    }
  });

  const stateAt = (slot: number) => states[slot] as CachedState;

  test("is Fulu's before the fork slot, and ours from it on", () => {
    expect(isMessageBusState(stateAt(FORK_SLOT - 1))).toBe(false);
    expect(isMessageBusState(stateAt(FORK_SLOT))).toBe(true);
    expect(stateAt(FORK_SLOT).fork.epoch).toBe(FORK_EPOCH);
  });

  test("finalizes across the fork, so that attestations of both sides count", () => {
    expect(stateAt(5 * SLOTS_PER_EPOCH).finalizedCheckpoint.epoch).toBe(3);
  });

  test("stores the root of each block from the fork on by its execution block number", () => {
    const state = stateAt(FORK_SLOT + 2);
    if (!isMessageBusState(state)) throw new Error("not of the fork");
    expect(state.messageBusRoots.get(FORK_SLOT + 2)).toEqual(new Uint8Array(32).fill(FORK_SLOT + 2));
    expect(state.messageBusRoots.get(FORK_SLOT - 1)).toEqual(new Uint8Array(32));
    expect(state.latestExecutionPayloadHeader.messageBusRoot).toEqual(new Uint8Array(32).fill(FORK_SLOT + 2));
  });

  test("crosses the fork over empty slots as well", () => {
    const late = processSlots(stateAt(FORK_SLOT - 3), FORK_SLOT + 3);
    expect(isMessageBusState(late)).toBe(true);
    expect(late.slot).toBe(FORK_SLOT + 3);
    expect(() => apply(stateAt(FORK_SLOT - 3), buildBlock(stateAt(FORK_SLOT - 3), FORK_SLOT + 3))).not.toThrow();
  });

  test("leaves the state that it starts from as it was", () => {
    const pre = stateAt(FORK_SLOT - 1);
    const root = pre.hashTreeRoot();
    processSlots(pre, FORK_SLOT + 1);
    apply(pre, buildBlock(pre, FORK_SLOT));
    expect(pre.hashTreeRoot()).toEqual(root);
    expect(pre.slot).toBe(FORK_SLOT - 1);
  });
});

describe("a block of the fork", () => {
  let genesis: CachedState;

  beforeAll(() => {
    genesis = createTestGenesis(0).state;
  });

  test("exits a validator by a message whose root its own payload brings", () => {
    const { exit, root } = exitOf(genesis, 5);
    const post = apply(genesis, buildBlock(genesis, 1, { messageBusRoot: root, triggeredExits: [exit] }));
    expect(post.validators.getReadonly(5).exitEpoch).not.toBe(FAR_FUTURE_EPOCH);
    expect(genesis.validators.getReadonly(5).exitEpoch).toBe(FAR_FUTURE_EPOCH);
  });

  test("is refused when two of its exits are of one validator", () => {
    const { exit, root } = exitOf(genesis, 5);
    const block = buildBlock(genesis, 1, { messageBusRoot: root, triggeredExits: [exit, exit] });
    expect(() => apply(genesis, block)).toThrow(/EXIT_INITIATED/);
  });

  test("is refused with a wrong signature, of its proposer or of another", () => {
    const block = buildBlock(genesis, 1);
    const other = buildBlock(genesis, 2);
    expect(() => apply(genesis, { ...block, signature: other.signature })).toThrow(/signature/);
    const forged = buildBlock(genesis, 1, {
      edit: ({ body }) => {
        body.randaoReveal = other.signature;
      },
    });
    expect(() => apply(genesis, forged)).toThrow(/signature/);
    expect(() => apply(genesis, { ...block, signature: new Uint8Array(96) })).toThrow(/signature/);
  });

  test("is refused when its proposer is no validator", () => {
    const block = buildBlock(genesis, 1, {
      edit: (message) => {
        message.proposerIndex = 1_000;
      },
    });
    expect(() => apply(genesis, block)).toThrow(/proposer that does not exist/);
  });

  test("is refused with another state root", () => {
    const block = buildBlock(genesis, 1);
    const wrong = { ...block, message: { ...block.message, stateRoot: new Uint8Array(32).fill(1) } };
    expect(() => apply(genesis, wrong, { verifyProposer: false })).toThrow(/claims the state root/);
  });

  test("is refused when the execution client says INVALID, and imported when it cannot be asked", () => {
    const block = buildBlock(genesis, 1);
    expect(() => apply(genesis, block, { payloadStatus: "INVALID" })).toThrow(/payload is invalid/);
    expect(apply(genesis, block, { payloadStatus: "SYNCING" }).slot).toBe(1);
  });

  test("is refused in a slot before its parent's", () => {
    const second = apply(genesis, buildBlock(genesis, 2));
    expect(() => processSlots(second, 1)).toThrow(/before the state's/);
  });
});
