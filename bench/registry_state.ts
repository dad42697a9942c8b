/**
 * States of any size for the benchmarks. Pubkeys are no curve points, which nothing here decompresses; everything else is
 * as on a network. Run as a program, it writes a state's SSZ: in a process of its own, whose memory is nobody's figure.
 */
import { writeFileSync } from "node:fs";
import { FAR_FUTURE_EPOCH, MIN_ACTIVATION_BALANCE, SLOTS_PER_EPOCH, SYNC_COMMITTEE_SIZE } from "@lodestar/params";
import { MessageTree } from "../src/execution/message_tree.ts";
import {
  createMessageBusConfig,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
} from "../src/spec/config.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../src/spec/constants.ts";
import { getMessageLeaf } from "../src/spec/message_leaf.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../src/spec/preset.ts";
import { BeaconState, type TriggeredExit } from "../src/spec/types.ts";

/** Validators with an exit message each; a benchmark that uses one up takes the next. */
export const EXITS = 1024;
/** Spreads them over the registry; prime. */
const STRIDE = 999_983;

/** Past the first epochs, where the library hashes a whole state to name its shuffling. */
export const EPOCH = 3;

const GENESIS_VALIDATORS_ROOT = new Uint8Array(32).fill(7);

export function createBenchConfig(): MessageBusBeaconConfig {
  return createMessageBusConfig(
    { ...FORKS_AT_GENESIS, SHARD_COMMITTEE_PERIOD: 0 },
    { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: 0 },
    GENESIS_VALIDATORS_ROOT,
  );
}

export function pubkeyOf(validatorIndex: number): Uint8Array {
  const pubkey = new Uint8Array(48).fill(0x5a);
  pubkey[0] = 0x8a;
  // Not in order, as a registry's are not.
  new DataView(pubkey.buffer).setUint32(4, Math.imul(validatorIndex, 2_654_435_761));
  new DataView(pubkey.buffer).setUint32(8, validatorIndex);
  return pubkey;
}

export function addressOf(validatorIndex: number): Uint8Array {
  const address = new Uint8Array(20).fill(0xad);
  new DataView(address.buffer).setUint32(0, validatorIndex);
  return address;
}

/** The validator whose exit is the contract's message number `message`. */
export function exitingValidator(message: number, validatorCount: number): number {
  return (message * STRIDE) % validatorCount;
}

/** The contract with all exit messages, each from its validator's withdrawal address. */
export function createMessages(validatorCount: number): { tree: MessageTree; exits: TriggeredExit[] } {
  const tree = new MessageTree();
  const validators = Array.from({ length: EXITS }, (_, message) => exitingValidator(message, validatorCount));
  for (const validator of validators) {
    tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, addressOf(validator), pubkeyOf(validator)));
  }
  const exits = validators.map((validator, message) => ({
    messageBusSignal: {
      proof: tree.proofFor(message, EXITS),
      messageSender: addressOf(validator),
      messageIndex: BigInt(message),
    },
    data: { pubkey: pubkeyOf(validator) },
  }));
  return { tree, exits };
}

/** The SSZ of a state of active validators, its vector full of different roots, the newest that of `createMessages`. */
export function serializeState(config: MessageBusBeaconConfig, validatorCount: number): Uint8Array {
  const { tree } = createMessages(validatorCount);
  const { version, prevVersion } = config.getForkInfo(0);
  const value = BeaconState.defaultValue();
  value.genesisValidatorsRoot = GENESIS_VALIDATORS_ROOT;
  value.slot = EPOCH * SLOTS_PER_EPOCH;
  value.latestBlockHeader.slot = value.slot;
  value.fork = { previousVersion: prevVersion, currentVersion: version, epoch: 0 };
  value.validators = Array.from({ length: validatorCount }, (_, index) => {
    const withdrawalCredentials = new Uint8Array(32);
    withdrawalCredentials[0] = 1;
    withdrawalCredentials.set(addressOf(index), 12);
    return {
      pubkey: pubkeyOf(index),
      withdrawalCredentials,
      effectiveBalance: MIN_ACTIVATION_BALANCE,
      slashed: false,
      activationEligibilityEpoch: 0,
      activationEpoch: 0,
      exitEpoch: FAR_FUTURE_EPOCH,
      withdrawableEpoch: FAR_FUTURE_EPOCH,
    };
  });
  const zeros: number[] = new Array(validatorCount).fill(0);
  value.balances = new Array(validatorCount).fill(MIN_ACTIVATION_BALANCE);
  value.previousEpochParticipation = zeros;
  value.currentEpochParticipation = zeros;
  value.inactivityScores = zeros;
  const committee = Array.from({ length: SYNC_COMMITTEE_SIZE }, (_, i) => pubkeyOf(i % validatorCount));
  value.currentSyncCommittee = { pubkeys: committee, aggregatePubkey: pubkeyOf(0) };
  value.nextSyncCommittee = value.currentSyncCommittee;
  value.latestExecutionPayloadHeader.blockNumber = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR - 1;
  value.messageBusRoots = Array.from({ length: BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR }, (_, slot) => {
    const root = new Uint8Array(32).fill(3);
    new DataView(root.buffer).setUint32(0, slot);
    return root;
  });
  value.messageBusRoots[BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR - 1] = tree.rootAt(EXITS);
  return BeaconState.serialize(value);
}

if (import.meta.main) {
  const [validatorCount, file] = process.argv.slice(2);
  writeFileSync(file as string, serializeState(createBenchConfig(), Number(validatorCount)));
}
