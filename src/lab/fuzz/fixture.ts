/**
 * What attacks are made of: the views that a target stands on, operations that are valid there, and validators that
 * break one rule each. Our own network has a message tree behind its states, so that all of it exists without an
 * execution layer; of somebody else's network we know its genesis, and the operations that we are given.
 */
import { ACTIVE_PRESET, FAR_FUTURE_EPOCH } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { MessageTree } from "../../execution/message_tree.ts";
import { formatTopic } from "../../network/topics.ts";
import {
  computeForkDigestHex,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
  type NetworkConfig,
} from "../../spec/config.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../spec/constants.ts";
import { getMessageLeaf } from "../../spec/message_leaf.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../spec/preset.ts";
import { ExecutionPayload, TriggeredExit } from "../../spec/types.ts";
import { type CachedState, isMessageBusState } from "../../state/beacon_state.ts";
import { createGenesisState } from "../../state/genesis.ts";
import { getInteropKey } from "../../state/interop_keys.ts";

/** A validator and what makes its exits fail; `sender` is who its messages came from. */
export interface Subject {
  readonly pubkey: Uint8Array;
  readonly sender: Uint8Array;
}

/** Subjects of our own network, each spoiled in one way. Null where a network is not ours, and has none that we know. */
export interface SpoiledSubjects {
  /** Exit initiated at head and finality. */
  readonly exiting: Subject;
  /** Seasoned long after the clock: REJECT. */
  readonly young: Subject;
  /** Seasoned with the next epoch: IGNORE. */
  readonly almostSeasoned: Subject;
  /** 0x00 credentials. */
  readonly blsCredentials: Subject;
  /** Credentials of a prefix that means nothing. */
  readonly strangeCredentials: Subject;
  readonly pendingWithdrawal: Subject;
  /** Exit initiated at the head only: IGNORE. */
  readonly exitingAtHead: Subject;
  /** 0x00 credentials at finality: another sender is IGNOREd. */
  readonly addressAtHead: Subject;
}

export interface Fixture {
  /** The topic's parts. */
  readonly forkDigest: string;
  readonly topic: string;
  /** Serialized, all of different validators, each valid on its own. */
  readonly valid: readonly Uint8Array[];
  /** Of one further valid operation, its proofs against the stored roots, the longest-lived last. */
  readonly reproofs: readonly Uint8Array[];
  /** True proofs against the root that the next payload evicts. */
  readonly expiring: readonly Uint8Array[];
  /** A validator that may exit, and whose exit nobody asked for. */
  readonly bystander: Subject;
  /** The count of the newest root: a plausible claim. */
  readonly messageCount: number;
  readonly spoiled: SpoiledSubjects | null;
}

export interface OwnNetwork {
  readonly network: NetworkConfig;
  readonly config: MessageBusBeaconConfig;
  /** Genesis, and finality. */
  readonly finalized: CachedState;
  readonly head: CachedState;
  readonly fixture: Fixture;
}

/** The roots that the network has stored, as many as the smallest window holds, spread over the whole window. */
const STORED_ROOTS = 64;
const LATEST_BLOCK_NUMBER = 10_000;
/** Genesis stays ahead of the clock, so that no block is ever due and the node counts as synced. */
const GENESIS_AHEAD_S = 365 * 86_400;
const SECONDS_PER_SLOT = 6;
/** Beyond every clock epoch that a run may have. */
const DISTANT_EPOCH = 1_000;

const SPOILED = [
  "exiting",
  "young",
  "almostSeasoned",
  "blsCredentials",
  "strangeCredentials",
  "pendingWithdrawal",
  "exitingAtHead",
  "addressAtHead",
] as const satisfies (keyof SpoiledSubjects)[];

/** Validators whose exits are proven against the oldest root. */
const EXPIRING = 8;

/** @param nowS Unix seconds. */
export function makeOwnNetwork(validCount: number, nowS: number): OwnNetwork {
  // In the order of the registry and, but for the bystander, of the contract's messages.
  const reproven = SPOILED.length + EXPIRING;
  const bystander = reproven + 1 + validCount;
  const subjects = Array.from({ length: bystander + 1 }, (_, index) => subjectOf(index));
  const senders = subjects.slice(0, bystander);

  const tree = new MessageTree();
  for (const { pubkey, sender } of senders) tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, pubkey));
  // The first root holds what must be provable everywhere, each further one a share of the rest.
  const counts = Array.from(
    { length: STORED_ROOTS },
    (_, k) => reproven + 1 + Math.ceil((validCount * k) / (STORED_ROOTS - 1)),
  );
  const latestCount = tree.count;

  const latestPayload = ExecutionPayload.defaultValue();
  latestPayload.blockNumber = LATEST_BLOCK_NUMBER;
  latestPayload.messageBusRoot = tree.rootAt(latestCount);
  const network = networkConfig(subjects.length);
  const { config, state } = createGenesisState(network, {
    validators: subjects.map(({ pubkey, sender }, index) => ({
      pubkey,
      withdrawalCredentials: credentialsOf(sender, index % 2 === 0 ? 0x01 : 0x02),
    })),
    genesisTime: nowS + GENESIS_AHEAD_S,
    latestPayload,
  });
  storeRoots(state, tree, counts);
  spoil(state);
  const head = state.clone();
  validatorOf(head, "exitingAtHead").exitEpoch = DISTANT_EPOCH;
  head.commit();
  const addressAtHead = validatorOf(state, "addressAtHead");
  addressAtHead.withdrawalCredentials = credentialsOf(addressAtHead.withdrawalCredentials.slice(12), 0x00);
  state.commit();

  const exitOf = (index: number, count: number) =>
    TriggeredExit.serialize({
      messageBusSignal: {
        proof: tree.proofFor(index, count),
        messageSender: (subjects[index] as Subject).sender,
        messageIndex: BigInt(index),
      },
      data: { pubkey: (subjects[index] as Subject).pubkey },
    });
  const forkDigest = computeForkDigestHex(config, 0);
  const spoiled = Object.fromEntries(
    SPOILED.map((name, index) => [name, subjects[index]]),
  ) as unknown as SpoiledSubjects;
  return {
    network,
    config,
    finalized: state,
    head,
    fixture: {
      forkDigest,
      topic: formatTopic("triggered_exit", forkDigest),
      valid: Array.from({ length: validCount }, (_, i) => exitOf(reproven + 1 + i, latestCount)),
      reproofs: counts.map((count) => exitOf(reproven, count)),
      expiring: Array.from({ length: EXPIRING }, (_, i) => exitOf(SPOILED.length + i, counts[0] as number)),
      bystander: subjects[bystander] as Subject,
      messageCount: latestCount,
      spoiled,
    },
  };
}

/** What is known of a network that is not ours: its state, and operations that are valid there. */
export function fixtureOf(state: CachedState, valid: readonly Uint8Array[]): Fixture {
  const forkDigest = computeForkDigestHex(state.config, state.epochCtx.epoch);
  const first = state.validators.getReadonly(0);
  const sample = valid.at(-1);
  return {
    forkDigest,
    topic: formatTopic("triggered_exit", forkDigest),
    valid,
    reproofs: [],
    expiring: [],
    bystander: { pubkey: first.pubkey, sender: first.withdrawalCredentials.slice(12) },
    messageCount: sample === undefined ? 1 : claimedCount(sample),
    spoiled: null,
  };
}

function claimedCount(operation: Uint8Array): number {
  const chunk = TriggeredExit.deserialize(operation).messageBusSignal.proof.at(-1) as Uint8Array;
  return Number(new DataView(chunk.buffer, chunk.byteOffset).getBigUint64(0, true));
}

function subjectOf(index: number): Subject {
  const { pubkey } = getInteropKey(index);
  return { pubkey, sender: pubkey.slice(0, 20) };
}

function credentialsOf(sender: Uint8Array, prefix: number): Uint8Array {
  const credentials = new Uint8Array(32);
  credentials[0] = prefix;
  credentials.set(sender, 12);
  return credentials;
}

function networkConfig(validators: number): NetworkConfig {
  return {
    chain: {
      ...FORKS_AT_GENESIS,
      PRESET_BASE: ACTIVE_PRESET,
      CONFIG_NAME: "msgbus-fuzz",
      SECONDS_PER_SLOT,
      SLOT_DURATION_MS: SECONDS_PER_SLOT * 1000,
      MIN_GENESIS_ACTIVE_VALIDATOR_COUNT: validators,
      GENESIS_DELAY: 0,
      SHARD_COMMITTEE_PERIOD: 0,
      BLOB_SCHEDULE: [],
    },
    messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: 0 },
  };
}

/** The oldest of the roots is the one that the next payload evicts; genesis has stored the newest. */
function storeRoots(state: CachedState, tree: MessageTree, counts: readonly number[]): void {
  if (!isMessageBusState(state)) throw new Error("the fork is scheduled at genesis");
  const window = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
  const stride = window / STORED_ROOTS;
  for (const [k, count] of counts.entries()) {
    const age = k === 0 ? window - 1 : (STORED_ROOTS - 1 - k) * stride;
    state.messageBusRoots.set((LATEST_BLOCK_NUMBER - age) % window, tree.rootAt(count));
  }
  state.commit();
}

function validatorOf(state: CachedState, name: keyof SpoiledSubjects) {
  return state.validators.get(SPOILED.indexOf(name));
}

function spoil(state: CachedState): void {
  const exiting = validatorOf(state, "exiting");
  exiting.exitEpoch = DISTANT_EPOCH;
  exiting.withdrawableEpoch = 2 * DISTANT_EPOCH;
  validatorOf(state, "young").activationEpoch = DISTANT_EPOCH;
  validatorOf(state, "almostSeasoned").activationEpoch = 1;
  for (const [name, prefix] of [
    ["blsCredentials", 0x00],
    ["strangeCredentials", 0x03],
  ] as const) {
    const validator = validatorOf(state, name);
    validator.withdrawalCredentials = credentialsOf(validator.withdrawalCredentials.slice(12), prefix);
  }
  state.pendingPartialWithdrawals.push(
    ssz.electra.PendingPartialWithdrawal.toViewDU({
      validatorIndex: SPOILED.indexOf("pendingWithdrawal"),
      amount: 1n,
      withdrawableEpoch: FAR_FUTURE_EPOCH,
    }),
  );
  state.commit();
}
