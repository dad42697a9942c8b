/** The first state of a test network: after the merge, every validator active, building on an existing EL block. */
import {
  EFFECTIVE_BALANCE_INCREMENT,
  EPOCHS_PER_HISTORICAL_VECTOR,
  FAR_FUTURE_EPOCH,
  ForkSeq,
  GENESIS_EPOCH,
  GENESIS_SLOT,
  MIN_ACTIVATION_BALANCE,
  MIN_SEED_LOOKAHEAD,
  UNSET_DEPOSIT_REQUESTS_START_INDEX,
} from "@lodestar/params";
import {
  type BeaconStateFulu,
  computeProposerIndices,
  getMaxEffectiveBalance,
  getNextSyncCommittee,
} from "@lodestar/state-transition";
import { type phase0, ssz } from "@lodestar/types";
import { CodedError } from "../base/errors.ts";
import {
  createMessageBusConfig,
  isMessageBusSlot,
  type MessageBusBeaconConfig,
  type NetworkConfig,
} from "../spec/config.ts";
import { BeaconBlockBody, BeaconState, type ExecutionPayload } from "../spec/types.ts";
import { asFulu, type BeaconStateMessageBus, type CachedState, createCachedState } from "./beacon_state.ts";
import { toPayloadHeader } from "./execution_payload.ts";
import { processMessageBusRoot } from "./roots.ts";

export type GenesisValidator = {
  /** 48 bytes. */
  pubkey: Uint8Array;
  /** 32 bytes. */
  withdrawalCredentials: Uint8Array;
  /** 32 ETH by default. */
  balanceGwei?: number;
};

export type GenesisOptions = {
  validators: readonly GenesisValidator[];
  /** Unix seconds. */
  genesisTime: number;
  /** The EL block that the first payload builds on. Its root is stored unless it is zero, as before any message. */
  latestPayload: ExecutionPayload;
};

/**
 * The genesis state, and the configuration that its validators complete. The state is of the message-bus fork where that
 * is scheduled at epoch 0, else of Fulu.
 * Throws a `CodedError` (`BAD_GENESIS`, `BAD_CONFIG`).
 */
export function createGenesisState(
  network: NetworkConfig,
  options: GenesisOptions,
): { config: MessageBusBeaconConfig; state: CachedState } {
  if (options.validators.length === 0) throw new CodedError("BAD_GENESIS", "A network needs at least one validator");
  const registry = options.validators.map(toActiveValidator);
  const config = createMessageBusConfig(
    network.chain,
    network.messageBus,
    ssz.phase0.Validators.hashTreeRoot(registry),
  );
  if (config.FULU_FORK_EPOCH !== GENESIS_EPOCH) {
    throw new CodedError("BAD_GENESIS", `FULU_FORK_EPOCH must be ${GENESIS_EPOCH}: there is no genesis before Fulu`);
  }

  const view = isMessageBusSlot(config, GENESIS_SLOT)
    ? createMessageBusView(options.latestPayload)
    : createFuluView(options.latestPayload);
  setChain(view, config, options);
  setRegistry(view, registry, options.validators);
  view.commit();
  setSyncCommittees(view, registry);
  view.commit();
  setProposerLookahead(createCachedState(config, view));
  view.commit();
  return { config, state: createCachedState(config, view) };
}

type GenesisView = BeaconStateMessageBus | BeaconStateFulu;

function createMessageBusView(payload: ExecutionPayload): GenesisView {
  const view = BeaconState.defaultViewDU();
  view.latestBlockHeader.bodyRoot = BeaconBlockBody.hashTreeRoot(BeaconBlockBody.defaultValue());
  view.latestExecutionPayloadHeader = BeaconState.fields.latestExecutionPayloadHeader.toViewDU(
    toPayloadHeader(payload),
  );
  processMessageBusRoot(view, BigInt(payload.blockNumber), payload.messageBusRoot);
  return view;
}

function createFuluView(payload: ExecutionPayload): GenesisView {
  const { BeaconState: FuluState, BeaconBlockBody: FuluBody } = ssz.fulu;
  const view = FuluState.defaultViewDU();
  view.latestBlockHeader.bodyRoot = FuluBody.hashTreeRoot(FuluBody.defaultValue());
  view.latestExecutionPayloadHeader = FuluState.fields.latestExecutionPayloadHeader.toViewDU(toPayloadHeader(payload));
  return view;
}

function setChain(
  view: GenesisView,
  config: MessageBusBeaconConfig,
  { genesisTime, latestPayload }: GenesisOptions,
): void {
  const { version, prevVersion } = config.getForkInfo(GENESIS_SLOT);
  const { blockHash } = latestPayload;
  view.genesisTime = genesisTime;
  view.genesisValidatorsRoot = config.genesisValidatorsRoot;
  view.fork = ssz.phase0.Fork.toViewDU({
    previousVersion: prevVersion,
    currentVersion: version,
    epoch: GENESIS_EPOCH,
  });
  view.eth1Data = ssz.phase0.Eth1Data.toViewDU({
    depositRoot: ssz.phase0.DepositDataRootList.hashTreeRoot([]),
    depositCount: 0n,
    blockHash,
  });
  view.randaoMixes = ssz.phase0.RandaoMixes.toViewDU(
    Array.from({ length: EPOCHS_PER_HISTORICAL_VECTOR }, () => blockHash),
  );
  view.depositRequestsStartIndex = UNSET_DEPOSIT_REQUESTS_START_INDEX;
}

function setRegistry(
  view: GenesisView,
  registry: readonly phase0.Validator[],
  validators: readonly GenesisValidator[],
): void {
  for (const [i, validator] of registry.entries()) {
    view.validators.push(ssz.phase0.Validator.toViewDU(validator));
    view.balances.push(balanceOf(validators[i] as GenesisValidator));
    view.previousEpochParticipation.push(0);
    view.currentEpochParticipation.push(0);
    view.inactivityScores.push(0);
  }
}

/** @spec altair/beacon-chain.md#get_next_sync_committee */
function setSyncCommittees(view: GenesisView, registry: readonly phase0.Validator[]): void {
  const { syncCommittee } = getNextSyncCommittee(
    ForkSeq.fulu,
    view as BeaconStateFulu,
    Uint32Array.from(registry.keys()),
    Uint16Array.from(registry, ({ effectiveBalance }) => effectiveBalance / EFFECTIVE_BALANCE_INCREMENT),
  );
  view.currentSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
  view.nextSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
}

/** @spec fulu/fork.md#initialize_proposer_lookahead */
function setProposerLookahead(state: CachedState): void {
  const lookahead: number[] = [];
  for (let epoch = GENESIS_EPOCH; epoch <= GENESIS_EPOCH + MIN_SEED_LOOKAHEAD; epoch++) {
    const shuffling = state.epochCtx.getShufflingAtEpoch(epoch);
    lookahead.push(...computeProposerIndices(ForkSeq.fulu, asFulu(state), shuffling, epoch));
  }
  state.proposerLookahead = ssz.fulu.ProposerLookahead.toViewDU(lookahead);
}

function toActiveValidator(validator: GenesisValidator): phase0.Validator {
  const { pubkey, withdrawalCredentials } = validator;
  const balance = balanceOf(validator);
  const effectiveBalance = Math.min(
    balance - (balance % EFFECTIVE_BALANCE_INCREMENT),
    getMaxEffectiveBalance(withdrawalCredentials),
  );
  if (effectiveBalance < MIN_ACTIVATION_BALANCE) {
    throw new CodedError(
      "BAD_GENESIS",
      `A validator needs ${MIN_ACTIVATION_BALANCE} Gwei to be active, not ${balance}`,
    );
  }
  return {
    pubkey,
    withdrawalCredentials,
    effectiveBalance,
    slashed: false,
    activationEligibilityEpoch: GENESIS_EPOCH,
    activationEpoch: GENESIS_EPOCH,
    exitEpoch: FAR_FUTURE_EPOCH,
    withdrawableEpoch: FAR_FUTURE_EPOCH,
  };
}

function balanceOf({ balanceGwei = MIN_ACTIVATION_BALANCE }: GenesisValidator): number {
  return balanceGwei;
}
