/**
 * Block trees as an honest majority makes them, with real states: slots, justification, finality, registry, deposits and
 * churn are the transition's own; what a block's operations would write is written by hand. And the views that honest
 * nodes may have of them.
 */

import { DOMAIN_DEPOSIT, ForkSeq, SLOTS_PER_EPOCH } from "@lodestar/params";
import { computeDomain, computeSigningRoot } from "@lodestar/state-transition";
import { initiateValidatorExit } from "@lodestar/state-transition/block";
import { ssz } from "@lodestar/types";
import fc from "fast-check";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import { ExecutionPayload, TriggeredExit } from "../../src/spec/types.ts";
import { asFulu, type CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { getInteropKeys } from "../../src/state/interop_keys.ts";
import { processMessageBusRoot } from "../../src/state/roots.ts";
import { processSlots } from "../../src/state/transition.ts";
import { createStateView, type StateView } from "../../src/state/view.ts";
import type { FollowedContract } from "../../src/validation/triggered_exit.ts";

/** Short, so that a chain of some epochs sees validators come of age. */
export const SHARD_COMMITTEE_PERIOD = 2;

const GENESIS_VALIDATORS = 14;
/** Those that a deposit may bring, and one that nothing brings. */
const KEYS = getInteropKeys(GENESIS_VALIDATORS + 4);
const DEPOSITABLE = [GENESIS_VALIDATORS, GENESIS_VALIDATORS + 1, GENESIS_VALIDATORS + 2];
const BASE_EPOCH = 4;
const ALL_FLAGS = 7;

export interface Event {
  readonly kind: "message" | "deposit" | "setAddress" | "compound" | "exit" | "slash" | "withdraw" | "withdrawn";
  readonly validator: number;
  /** Which of two addresses a message comes from, or credentials name. */
  readonly address: 0 | 1;
}

export interface BlockPlan {
  /** How far back among the blocks so far its parent is. */
  readonly parent: number;
  /** Slots after the block before it, or a fork beside it (0). */
  readonly slots: number;
  /** Whether the epoch's votes go to this branch, where honest voters may give them. */
  readonly votes: boolean;
  readonly events: readonly Event[];
}

export interface Block {
  readonly slot: number;
  readonly parent: Block | null;
  readonly state: CachedBeaconStateMessageBus;
  readonly view: StateView;
  /** Leaves of the contract after the block, with what they say. */
  readonly messages: readonly { readonly sender: Uint8Array; readonly pubkey: Uint8Array }[];
  readonly tree: MessageTree;
}

export interface View {
  readonly head: Block;
  readonly finalized: Block;
  readonly clockEpoch: number;
}

const event: fc.Arbitrary<Event> = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant("message" as const) },
    {
      weight: 5,
      arbitrary: fc.constantFrom(
        ...(["deposit", "setAddress", "compound", "exit", "slash", "withdraw", "withdrawn"] as const),
      ),
    },
  ),
  validator: fc.nat(KEYS.length - 1),
  address: fc.constantFrom(0 as const, 0 as const, 1 as const),
});

export const chainPlan: fc.Arbitrary<BlockPlan[]> = fc.array(
  fc.record({
    parent: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(6) }),
    slots: fc.oneof({ weight: 3, arbitrary: fc.nat(2) }, { weight: 2, arbitrary: fc.nat(2 * SLOTS_PER_EPOCH) }),
    votes: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    events: fc.array(event, { maxLength: 3 }),
  }),
  { minLength: 4, maxLength: 24 },
);

function addressOf(validator: number, address: 0 | 1): Uint8Array {
  return new Uint8Array(20).fill(0x10 + validator).fill(address, 19);
}

function credentialsOf(prefix: number, validator: number, address: 0 | 1 = 0): Uint8Array {
  const credentials = new Uint8Array(32);
  credentials[0] = prefix;
  credentials.set(addressOf(validator, address), 12);
  return credentials;
}

/** By validator: 0x01, but two 0x02, two 0x00 and one of a prefix that means nothing. */
function genesisPrefix(validator: number): number {
  if (validator === 6 || validator === 7) return 0x02;
  if (validator === 8 || validator === 9) return 0x00;
  return validator === 10 ? 0x03 : 0x01;
}

/** Two validators are younger than the others: one activated later, one not activated yet. */
const base: Block = (() => {
  const genesis = createGenesisState(
    {
      chain: { ...FORKS_AT_GENESIS, SHARD_COMMITTEE_PERIOD },
      messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: 0 },
    },
    {
      validators: KEYS.slice(0, GENESIS_VALIDATORS).map(({ pubkey }, i) => ({
        pubkey,
        withdrawalCredentials: credentialsOf(genesisPrefix(i), i),
      })),
      genesisTime: 1_700_000_000,
      latestPayload: ExecutionPayload.defaultValue(),
    },
  ).state as CachedBeaconStateMessageBus;
  const late = genesis.validators.get(12);
  late.activationEpoch = BASE_EPOCH + 1;
  const later = genesis.validators.get(13);
  later.activationEligibilityEpoch = BASE_EPOCH - 1;
  later.activationEpoch = Number.POSITIVE_INFINITY;
  genesis.commit();
  let state = genesis;
  for (let epoch = 1; epoch <= BASE_EPOCH; epoch++) {
    state = vote(state.clone(true) as CachedBeaconStateMessageBus);
    state = processSlots(state, epoch * SLOTS_PER_EPOCH) as CachedBeaconStateMessageBus;
  }
  return { slot: state.slot, parent: null, state, view: createStateView(state), messages: [], tree: new MessageTree() };
})();

export function buildBlocks(plan: readonly BlockPlan[]): Block[] {
  const blocks: Block[] = [base];
  /** By epoch: the block that is the target of its votes. */
  const targets = new Map<number, Block>();
  let justified = base.state.currentJustifiedCheckpoint.epoch;
  for (const { parent: back, slots, votes, events } of plan) {
    const parent = blocks[Math.max(0, blocks.length - 1 - back)] ?? base;
    const slot = Math.max(parent.slot + 1, (blocks.at(-1) ?? base).slot + slots);
    const state = processSlots(parent.state, slot) as CachedBeaconStateMessageBus;
    const { epoch } = state.epochCtx;
    // Honest voters give one vote an epoch, and never one with an older source: nothing conflicting is ever finalized.
    const source = state.currentJustifiedCheckpoint.epoch;
    const block = applyBlock(state, parent, events);
    const target = ancestorAt(block, epoch * SLOTS_PER_EPOCH);
    if (votes && source >= justified && (targets.get(epoch) ?? target) === target) {
      targets.set(epoch, target);
      justified = Math.max(justified, source);
      vote(block.state);
    }
    blocks.push(block);
  }
  return blocks;
}

function applyBlock(state: CachedBeaconStateMessageBus, parent: Block, events: readonly Event[]): Block {
  const messages = [...parent.messages];
  for (const happening of events) {
    if (happening.kind !== "message") applyEvent(state, happening);
    else {
      const pubkey = KEYS[happening.validator]?.pubkey ?? new Uint8Array(48);
      messages.push({ sender: addressOf(happening.validator, happening.address), pubkey });
    }
  }
  const tree = new MessageTree();
  for (const { sender, pubkey } of messages) tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, pubkey));
  const header = state.latestExecutionPayloadHeader;
  header.blockNumber += 1;
  processMessageBusRoot(state, BigInt(header.blockNumber), tree.rootAt(tree.count));
  state.commit();
  return { slot: state.slot, parent, state, view: createStateView(state), messages, tree };
}

function applyEvent(state: CachedBeaconStateMessageBus, { kind, validator: index, address }: Event): void {
  if (kind === "deposit") {
    deposit(state, DEPOSITABLE[index % DEPOSITABLE.length] ?? 0, address);
    return;
  }
  if (index >= state.validators.length) return;
  const validator = state.validators.get(index);
  const [prefix] = validator.withdrawalCredentials;
  const isActive = validator.activationEpoch <= state.epochCtx.epoch;
  switch (kind) {
    case "setAddress":
      if (prefix === 0x00) validator.withdrawalCredentials = credentialsOf(0x01, index, address);
      return;
    case "compound": {
      if (prefix !== 0x01) return;
      const credentials = validator.withdrawalCredentials.slice();
      credentials[0] = 0x02;
      validator.withdrawalCredentials = credentials;
      return;
    }
    case "exit":
    case "slash":
      if (!isActive) return;
      initiateValidatorExit(ForkSeq.fulu, asFulu(state), validator);
      if (kind === "slash") validator.slashed = true;
      return;
    case "withdraw":
      if (prefix !== 0x02) return;
      state.pendingPartialWithdrawals.push(
        ssz.electra.PendingPartialWithdrawal.toViewDU({ validatorIndex: index, amount: 1n, withdrawableEpoch: 0 }),
      );
      return;
    case "withdrawn":
      if (state.pendingPartialWithdrawals.length > 0) {
        state.pendingPartialWithdrawals = state.pendingPartialWithdrawals.sliceFrom(1);
      }
  }
}

function deposit(state: CachedBeaconStateMessageBus, key: number, address: 0 | 1): void {
  const { secretKey, pubkey } = KEYS[key] ?? KEYS[0] ?? failed("no keys");
  const message = { pubkey, withdrawalCredentials: credentialsOf(address, key), amount: 32_000_000_000 };
  const domain = computeDomain(DOMAIN_DEPOSIT, state.config.GENESIS_FORK_VERSION, new Uint8Array(32));
  const signature = secretKey.sign(computeSigningRoot(ssz.phase0.DepositMessage, message, domain)).toBytes();
  state.pendingDeposits.push(ssz.electra.PendingDeposit.toViewDU({ ...message, signature, slot: state.slot }));
}

function vote(state: CachedBeaconStateMessageBus): CachedBeaconStateMessageBus {
  for (let i = 0; i < state.currentEpochParticipation.length; i++) state.currentEpochParticipation.set(i, ALL_FLAGS);
  state.commit();
  return state;
}

/** What a node has received, and which of the heads that its fork choice may follow it is on. */
export interface ViewPlan {
  /** Of the recent blocks, which have not arrived yet. */
  readonly missing: readonly boolean[];
  readonly head: number;
  /** In an epoch's first slot: the clock is up to 500 ms behind, and still in the epoch before. */
  readonly isClockBehind: boolean;
}

export const viewPlan: fc.Arbitrary<ViewPlan> = fc.record({
  missing: fc.array(fc.boolean(), { maxLength: 6 }),
  head: fc.nat(7),
  isClockBehind: fc.boolean(),
});

/** A synced node's view at a slot: blocks of the last epoch may be on their way to it, older ones have arrived. */
export function viewAt(blocks: readonly Block[], slot: number, { missing, head, isClockBehind }: ViewPlan): View {
  const seen = new Set<Block>();
  let recent = 0;
  for (const block of blocks) {
    if (block.slot > slot) break;
    const isMissing = block.slot > slot - SLOTS_PER_EPOCH && missing[recent++ % missing.length] === true;
    if ((!isMissing && (block.parent === null || seen.has(block.parent))) || block === base) seen.add(block);
  }
  const byJustified = maxBy(seen, ({ state }) => state.currentJustifiedCheckpoint.epoch);
  const byFinalized = maxBy(seen, ({ state }) => state.finalizedCheckpoint.epoch);
  const justifiedEpoch = byJustified.state.currentJustifiedCheckpoint.epoch;
  const justified = ancestorAt(byJustified, justifiedEpoch * SLOTS_PER_EPOCH);
  const finalized = ancestorAt(byFinalized, byFinalized.state.finalizedCheckpoint.epoch * SLOTS_PER_EPOCH);
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const parents = new Set([...seen].map(({ parent }) => parent));
  // filter_block_tree: a head's own justification is the node's, or recent.
  const heads = [...seen].filter((block) => {
    const own = block.state.currentJustifiedCheckpoint.epoch;
    return (
      !parents.has(block) &&
      isAncestor(justified, block) &&
      isAncestor(finalized, block) &&
      (own === justifiedEpoch || own + 2 >= epoch)
    );
  });
  const isFirstSlot = slot % SLOTS_PER_EPOCH === 0;
  return {
    head: heads[head % heads.length] ?? justified,
    finalized,
    clockEpoch: isClockBehind && isFirstSlot ? epoch - 1 : epoch,
  };
}

export function isAncestor(ancestor: Block, block: Block): boolean {
  return ancestorAt(block, ancestor.slot) === ancestor;
}

/** The latest block of the branch at or before a slot. */
function ancestorAt(block: Block, slot: number): Block {
  let at = block;
  while (at.slot > slot && at.parent !== null) at = at.parent;
  return at;
}

/** The contract as far as a block has it. */
export function contractOf({ tree }: Block): FollowedContract {
  return {
    finalizedCount: BigInt(tree.count),
    leafAt: (index) => tree.leafAt(Number(index)),
    rootAt: (count) => tree.rootAt(Number(count)),
  };
}

/** Every message of every branch, proven against the roots of the branch's blocks: serialized operations. */
export function operationsOf(blocks: readonly Block[]): Uint8Array[] {
  const operations = new Map<string, Uint8Array>();
  for (const { messages, tree } of blocks) {
    for (const [index, { sender, pubkey }] of messages.entries()) {
      const ssz = TriggeredExit.serialize({
        messageBusSignal: {
          proof: tree.proofFor(index, tree.count),
          messageSender: sender,
          messageIndex: BigInt(index),
        },
        data: { pubkey },
      });
      operations.set(Buffer.from(ssz).toString("latin1"), ssz);
    }
  }
  return [...operations.values()];
}

function maxBy(blocks: Iterable<Block>, value: (block: Block) => number): Block {
  let best = base;
  for (const block of blocks) if (value(block) > value(best)) best = block;
  return best;
}

function failed(what: string): never {
  throw new Error(what);
}
