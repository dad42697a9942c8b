/**
 * States that genesis and blocks lead to, with everything in them that an exit meets: exits of all kinds, a slashed
 * validator, consolidations, partial withdrawals that wait, deposits that wait, BLS credentials, all balances.
 */
import { DOMAIN_BEACON_PROPOSER, DOMAIN_DEPOSIT, SLOTS_PER_EPOCH } from "@lodestar/params";
import { computeDomain, computeSigningRoot } from "@lodestar/state-transition";
import { type electra, type phase0, ssz } from "@lodestar/types";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import { ExecutionPayload, type TriggeredExit } from "../../src/spec/types.ts";
import { type CachedBeaconStateMessageBus, type CachedState, isMessageBusState } from "../../src/state/beacon_state.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { getInteropKey, getInteropKeys } from "../../src/state/interop_keys.ts";
import { processSlots, stateTransition } from "../../src/state/transition.ts";
import { type BlockContents, buildBlock } from "./build_block.ts";

const ETH = 1_000_000_000;
const MAX_ETH = 2048;
const MESSAGES_PER_BLOCK = 8;
const FAR_FUTURE_EPOCH = Number.POSITIVE_INFINITY;

/** Which validators play which part; all others have 0x01 credentials and 32 ETH. */
export const CAST = {
  /** 0x02 credentials, 2048 ETH: what makes room for consolidations. */
  large: [0, 1, 2],
  /** 0x02 credentials, more than 32 ETH. */
  compounding: [3, 4, 5],
  /** 0x00 credentials. */
  bls: [6, 7],
  slashed: 8,
  voluntarilyExiting: 9,
  /** Exits by a withdrawal request. */
  requestedExit: 10,
  consolidated: 11,
  consolidationTarget: 0,
  /** Changes its 0x01 credentials to 0x02. */
  switching: 12,
  /** Has a partial withdrawal pending. */
  withdrawing: 3,
  triggered: [4, 13, 14],
} as const;

export const VALIDATORS = 32;
/** Its deposit comes by a request and activates at the end. */
export const NEWCOMER = VALIDATORS;

export function addressOf(validatorIndex: number): Uint8Array {
  return new Uint8Array(20).fill(validatorIndex + 1);
}

function credentialsOf(validatorIndex: number, prefix: number): Uint8Array {
  const credentials = new Uint8Array(32);
  credentials[0] = prefix;
  if (prefix !== 0) credentials.set(addressOf(validatorIndex), 12);
  return credentials;
}

function isIn(list: readonly number[], index: number): boolean {
  return list.includes(index);
}

export interface ReachableStates {
  /** After each slot of the chain that is of our fork, ascending. */
  readonly states: readonly CachedBeaconStateMessageBus[];
  readonly tree: MessageTree;
  /** Messages in the contract at the end of a block: those whose roots were stored. */
  readonly counts: readonly number[];
  /** Messages of the contract by index: who sent it, for whom. The first are the validators' own, in order. */
  readonly messages: readonly { sender: Uint8Array; pubkey: Uint8Array }[];
}

/** The operation of a message, proven against the root after `count` messages. */
export function operationOf({ tree, messages }: ReachableStates, index: number, count: number): TriggeredExit {
  const { sender, pubkey } = messages[index] as { sender: Uint8Array; pubkey: Uint8Array };
  const messageBusSignal = { proof: tree.proofFor(index, count), messageSender: sender, messageIndex: BigInt(index) };
  return { messageBusSignal, data: { pubkey } };
}

export function createGenesis(messageBusForkEpoch: number, validatorCount = VALIDATORS) {
  return createGenesisState(
    {
      chain: { ...FORKS_AT_GENESIS, SHARD_COMMITTEE_PERIOD: 1 },
      messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: messageBusForkEpoch },
    },
    {
      validators: getInteropKeys(validatorCount).map(({ pubkey }, index) => {
        const isLarge = isIn(CAST.large, index);
        const isCompounding = isLarge || isIn(CAST.compounding, index);
        const prefix = isCompounding ? 2 : isIn(CAST.bls, index) ? 0 : 1;
        const eth = isLarge ? MAX_ETH : isCompounding ? 100 + index : 32;
        return { pubkey, withdrawalCredentials: credentialsOf(index, prefix), balanceGwei: eth * ETH };
      }),
      genesisTime: 1_700_000_000,
      latestPayload: ExecutionPayload.defaultValue(),
    },
  );
}

/**
 * Runs the chain: a message of every validator in the first blocks after the fork, then what the cast does.
 * @param forkEpoch where it is above 0, the chain's first epochs are Fulu's.
 */
export function runChain(forkEpoch = 0): ReachableStates {
  const { config, state: genesis } = createGenesis(forkEpoch);
  const keys = getInteropKeys(VALIDATORS + 1);
  const tree = new MessageTree();
  const messages = [
    ...keys.map(({ pubkey }, index) => ({ sender: addressOf(index), pubkey })),
    // Anyone may send anything: a stranger for a validator, an address for a key that no one has.
    { sender: addressOf(15), pubkey: (keys[16] as (typeof keys)[0]).pubkey },
    { sender: addressOf(15), pubkey: new Uint8Array(48).fill(0xaa) },
  ];
  const states: CachedBeaconStateMessageBus[] = [];
  let state: CachedState = genesis;
  const counts = new Set<number>();
  const keep = () => {
    if (isMessageBusState(state)) states.push(state);
  };
  const apply = (contents: BlockContents = {}) => {
    for (const { sender, pubkey } of messages.slice(tree.count, tree.count + MESSAGES_PER_BLOCK)) {
      tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, pubkey));
    }
    counts.add(tree.count);
    const block = buildBlock(state, state.slot + 1, { ...contents, messageBusRoot: tree.rootAt(tree.count) });
    state = stateTransition(state, block, {
      payloadStatus: "VALID",
      verifyProposer: true,
      verifySignatures: true,
      verifyStateRoot: true,
    });
    keep();
  };
  const edit = (change: (requests: electra.ExecutionRequests) => void) =>
    apply({ edit: ({ body }) => change(body.executionRequests) });
  const pubkey = (index: number) => (keys[index] as (typeof keys)[0]).pubkey;
  const request = (index: number, amount: number) => ({
    sourceAddress: addressOf(index),
    validatorPubkey: pubkey(index),
    amount: BigInt(amount),
  });

  keep();
  // Validators may exit once SHARD_COMMITTEE_PERIOD has passed.
  while (state.slot < (forkEpoch + 1) * SLOTS_PER_EPOCH) apply();
  edit(({ withdrawals }) => withdrawals.push(request(CAST.withdrawing, 5 * ETH)));
  edit(({ deposits }) => deposits.push(depositOf(NEWCOMER, deposits.length), depositOf(CAST.switching, 1)));
  apply({ edit: ({ body }) => body.proposerSlashings.push(proposerSlashing(state, CAST.slashed)) });
  edit(({ consolidations }) => {
    const target = { sourceAddress: addressOf(CAST.consolidated), sourcePubkey: pubkey(CAST.consolidated) };
    consolidations.push({ ...target, targetPubkey: pubkey(CAST.consolidationTarget) });
    const own = { sourceAddress: addressOf(CAST.switching), sourcePubkey: pubkey(CAST.switching) };
    consolidations.push({ ...own, targetPubkey: pubkey(CAST.switching) });
  });
  apply({ edit: ({ body }) => body.voluntaryExits.push(voluntaryExit(state, CAST.voluntarilyExiting)) });
  edit(({ withdrawals }) => withdrawals.push(request(CAST.requestedExit, 0)));
  const chain = { states, tree, messages, counts: [] };
  apply({ triggeredExits: CAST.triggered.map((index) => operationOf(chain, index, tree.count)) });
  // The newcomer comes in when its deposit is final.
  while (state.validators.length === VALIDATORS && state.slot < (forkEpoch + 7) * SLOTS_PER_EPOCH) apply();
  // The first messages' roots leave the vector.
  while (state.latestExecutionPayloadHeader.blockNumber < BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR + 4) apply();
  // Empty slots, then epochs without blocks.
  for (const slots of [1, 2, SLOTS_PER_EPOCH, 5 * SLOTS_PER_EPOCH]) {
    state = processSlots(state, state.slot + slots);
    keep();
    apply();
  }
  return { ...chain, counts: [...counts] };

  function depositOf(index: number, requestIndex: number): electra.DepositRequest {
    const message = {
      pubkey: pubkey(index),
      withdrawalCredentials: credentialsOf(index, 1),
      amount: 32 * ETH,
    };
    // A deposit is valid on every fork, and signed before the chain has a name.
    const domain = computeDomain(DOMAIN_DEPOSIT, config.GENESIS_FORK_VERSION, new Uint8Array(32));
    const signature = getInteropKey(index)
      .secretKey.sign(computeSigningRoot(ssz.phase0.DepositMessage, message, domain))
      .toBytes();
    return { ...message, signature, index: BigInt(requestIndex) };
  }
}

function proposerSlashing(state: CachedState, proposerIndex: number): phase0.ProposerSlashing {
  const header = (fill: number): phase0.SignedBeaconBlockHeaderBigint => {
    const roots = {
      parentRoot: new Uint8Array(32).fill(fill),
      stateRoot: new Uint8Array(32),
      bodyRoot: new Uint8Array(32),
    };
    const message = { slot: BigInt(state.slot), proposerIndex, ...roots };
    const domain = state.config.getDomain(state.slot, DOMAIN_BEACON_PROPOSER, state.slot);
    const signingRoot = computeSigningRoot(ssz.phase0.BeaconBlockHeaderBigint, message, domain);
    return { message, signature: getInteropKey(proposerIndex).secretKey.sign(signingRoot).toBytes() };
  };
  return { signedHeader1: header(1), signedHeader2: header(2) };
}

function voluntaryExit(state: CachedState, validatorIndex: number): phase0.SignedVoluntaryExit {
  const message = { epoch: state.epochCtx.epoch, validatorIndex };
  const domain = state.config.getDomainForVoluntaryExit(state.slot);
  const signingRoot = computeSigningRoot(ssz.phase0.VoluntaryExit, message, domain);
  return { message, signature: getInteropKey(validatorIndex).secretKey.sign(signingRoot).toBytes() };
}

export function isExiting(state: CachedState, validatorIndex: number): boolean {
  return state.validators.getReadonly(validatorIndex).exitEpoch !== FAR_FUTURE_EPOCH;
}
