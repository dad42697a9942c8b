/**
 * The chain's configuration with the message-bus fork in its schedule, so that fork digests, signature domains and
 * fork types come from the library as for any other fork.
 * @spec specs/message-bus/fork.md#configuration
 */
import {
  type BeaconConfig,
  type ChainConfig,
  type ChainForkConfig,
  createCachedGenesis,
  createChainForkConfig,
  type ForkBoundary,
  type ForkInfo,
} from "@lodestar/config";
import { ACTIVE_PRESET, ForkName, ForkSeq, PresetName, SLOTS_PER_EPOCH } from "@lodestar/params";
import { ssz, sszTypesFor } from "@lodestar/types";
import { CodedError } from "../base/errors.ts";
import { MESSAGE_BUS_FORK_NAME } from "./constants.ts";
import * as messageBus from "./types.ts";

export type MessageBusParameters = {
  /** First epoch of the fork; `Infinity` where it is not scheduled. */
  MESSAGE_BUS_FORK_EPOCH: number;
  /** 4 bytes. */
  MESSAGE_BUS_FORK_VERSION: Uint8Array;
  /** 20 bytes. */
  MESSAGE_BUS_CONTRACT_ADDRESS: Uint8Array;
};

/** Of each preset's own configuration: no fork is scheduled, no contract is known. */
export const DEFAULT_MESSAGE_BUS_PARAMETERS: MessageBusParameters = {
  MESSAGE_BUS_FORK_EPOCH: Number.POSITIVE_INFINITY,
  MESSAGE_BUS_FORK_VERSION: Uint8Array.of(0xb0, 0, 0, ACTIVE_PRESET === PresetName.minimal ? 1 : 0),
  MESSAGE_BUS_CONTRACT_ADDRESS: new Uint8Array(20),
};

/** What a network's `config.yaml` says; unset values are the preset's. */
export type NetworkConfig = { chain: Partial<ChainConfig>; messageBus: MessageBusParameters };

export type MessageBusBeaconConfig = BeaconConfig & MessageBusParameters;

/** Every fork before ours at epoch 0, as in a network that is born after the merge. */
export const FORKS_AT_GENESIS = {
  ALTAIR_FORK_EPOCH: 0,
  BELLATRIX_FORK_EPOCH: 0,
  CAPELLA_FORK_EPOCH: 0,
  DENEB_FORK_EPOCH: 0,
  ELECTRA_FORK_EPOCH: 0,
  FULU_FORK_EPOCH: 0,
} as const satisfies Partial<ChainConfig>;

/**
 * The library knows a closed list of forks. Ours has Fulu's sequence number, so that all of Fulu's rules apply, and
 * stands under its own name in `ForkInfo`s only: `getForkName` keeps answering `fulu`, because the library takes any
 * name that it does not know for a fork after Gloas.
 */
const FORK_NAME = MESSAGE_BUS_FORK_NAME as string as ForkName;

const forkTypes = {
  ...sszTypesFor(ForkName.fulu),
  ExecutionPayload: messageBus.ExecutionPayload,
  ExecutionPayloadHeader: messageBus.ExecutionPayloadHeader,
  BeaconBlockBody: messageBus.BeaconBlockBody,
  BeaconBlock: messageBus.BeaconBlock,
  SignedBeaconBlock: messageBus.SignedBeaconBlock,
  BeaconState: messageBus.BeaconState,
};

/**
 * Fork versions, digests and domains by epoch, with ours among them.
 * @param genesisValidatorsRoot 32 bytes.
 * @spec specs/message-bus/p2p-interface.md#modified-compute_fork_version
 * Throws a `CodedError` (`BAD_CONFIG`) when the fork precedes Fulu or meets Gloas, or a value has a wrong length.
 */
export function createMessageBusConfig(
  chainConfig: Partial<ChainConfig>,
  parameters: MessageBusParameters,
  genesisValidatorsRoot: Uint8Array,
): MessageBusBeaconConfig {
  const base = createChainForkConfig(chainConfig);
  assertSchedule(base, parameters);
  const forkEpoch = parameters.MESSAGE_BUS_FORK_EPOCH;
  const forkInfo: ForkInfo = {
    name: FORK_NAME,
    seq: ForkSeq.fulu,
    epoch: forkEpoch,
    version: parameters.MESSAGE_BUS_FORK_VERSION,
    prevVersion: base.FULU_FORK_VERSION,
    prevForkName: ForkName.fulu,
  };
  const ascending = withForkBoundary(base.forkBoundariesAscendingEpochOrder, forkEpoch);
  const descending = ascending.toReversed();
  const first = ascending[0] as ForkBoundary;
  const forks = { ...base.forks, [FORK_NAME]: forkInfo };
  const isFork = (slot: number) => Math.floor(slot / SLOTS_PER_EPOCH) >= forkEpoch;

  const config: ChainForkConfig & MessageBusParameters = {
    ...base,
    ...parameters,
    forks,
    forksAscendingEpochOrder: [...base.forksAscendingEpochOrder, forkInfo],
    forksDescendingEpochOrder: [forkInfo, ...base.forksDescendingEpochOrder],
    forkBoundariesAscendingEpochOrder: ascending,
    forkBoundariesDescendingEpochOrder: descending,
    getForkBoundaryAtEpoch: (epoch) => descending.find((boundary) => epoch >= boundary.epoch) ?? first,
    getForkInfoAtEpoch: (epoch) => forks[config.getForkBoundaryAtEpoch(epoch).fork],
    getForkName(slot) {
      const { name } = config.getForkInfo(slot);
      return name === FORK_NAME ? ForkName.fulu : name;
    },
    getForkTypes: ((slot) => (isFork(slot) ? forkTypes : base.getForkTypes(slot))) as ChainForkConfig["getForkTypes"],
    getPostAltairForkTypes: ((slot) =>
      isFork(slot) ? forkTypes : base.getPostAltairForkTypes(slot)) as ChainForkConfig["getPostAltairForkTypes"],
    getPostBellatrixForkTypes: ((slot) =>
      isFork(slot) ? forkTypes : base.getPostBellatrixForkTypes(slot)) as ChainForkConfig["getPostBellatrixForkTypes"],
    getPostDenebForkTypes: ((slot) =>
      isFork(slot) ? forkTypes : base.getPostDenebForkTypes(slot)) as ChainForkConfig["getPostDenebForkTypes"],
  };
  return { ...config, ...createCachedGenesis(config, genesisValidatorsRoot) };
}

/** Whether blocks and states of the slot are of the message-bus fork. */
export function isMessageBusSlot(config: MessageBusParameters, slot: number): boolean {
  return Math.floor(slot / SLOTS_PER_EPOCH) >= config.MESSAGE_BUS_FORK_EPOCH;
}

/**
 * The digest that gossip topics carry in an epoch: 8 hex digits without 0x.
 * @spec fulu/beacon-chain#compute_fork_digest
 */
export function computeForkDigestHex(config: BeaconConfig, epoch: number): string {
  return config.forkBoundary2ForkDigestHex(config.getForkBoundaryAtEpoch(epoch));
}

/** The type of a slot's signed blocks: ours from the fork on, Fulu's before. */
export function getSignedBlockType(config: MessageBusParameters, slot: number) {
  return isMessageBusSlot(config, slot) ? messageBus.SignedBeaconBlock : ssz.fulu.SignedBeaconBlock;
}

/** Ours goes after all named forks of its epoch, and takes over the blob schedule's entries from there on. */
function withForkBoundary(boundaries: ForkBoundary[], forkEpoch: number): ForkBoundary[] {
  if (forkEpoch === Number.POSITIVE_INFINITY) return boundaries;
  const before = boundaries.filter(({ epoch }) => epoch <= forkEpoch);
  const after = boundaries.filter(({ epoch }) => epoch > forkEpoch);
  return [...before, { fork: FORK_NAME, epoch: forkEpoch }, ...after.map(({ epoch }) => ({ fork: FORK_NAME, epoch }))];
}

function assertSchedule(base: ChainForkConfig, parameters: MessageBusParameters): void {
  const { MESSAGE_BUS_FORK_EPOCH: epoch, MESSAGE_BUS_FORK_VERSION, MESSAGE_BUS_CONTRACT_ADDRESS } = parameters;
  const fail = (key: string, problem: string): never => {
    throw new CodedError("BAD_CONFIG", `${key} ${problem}`, { key });
  };
  if (epoch !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(epoch) || epoch < 0)) {
    fail("MESSAGE_BUS_FORK_EPOCH", `must be an epoch, not ${epoch}`);
  }
  if (epoch < base.FULU_FORK_EPOCH) {
    fail("MESSAGE_BUS_FORK_EPOCH", `is ${epoch}, before FULU_FORK_EPOCH (${base.FULU_FORK_EPOCH})`);
  }
  if (base.GLOAS_FORK_EPOCH !== Number.POSITIVE_INFINITY) {
    fail("GLOAS_FORK_EPOCH", "is scheduled, and the message bus is defined on top of Fulu only: remove it");
  }
  if (MESSAGE_BUS_FORK_VERSION.length !== 4) fail("MESSAGE_BUS_FORK_VERSION", "must have 4 bytes");
  if (MESSAGE_BUS_CONTRACT_ADDRESS.length !== 20) fail("MESSAGE_BUS_CONTRACT_ADDRESS", "must have 20 bytes");
}
