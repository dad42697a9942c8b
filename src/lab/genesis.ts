/** Makes a network directory: deploys the contract where there is an execution client, and writes a genesis on top of it. */
import { ACTIVE_PRESET } from "@lodestar/params";
import { fromHex } from "@lodestar/utils";
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { AnvilEngine } from "../execution/anvil_engine.ts";
import { checkContract, deployMessageBus } from "../execution/contract.ts";
import { JsonRpc } from "../execution/json_rpc.ts";
import {
  computeForkDigestHex,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type NetworkConfig,
} from "../spec/config.ts";
import { ExecutionPayload } from "../spec/types.ts";
import { createGenesisState, type GenesisValidator } from "../state/genesis.ts";
import { getInteropKeys } from "../state/interop_keys.ts";
import { writeNetworkDir } from "../state/network_dir.ts";
import { anvilAccount } from "./anvil.ts";

/** Funded accounts of anvil's mnemonic that take turns as withdrawal addresses: as many as anvil has by default. */
export const WITHDRAWAL_ACCOUNTS = 10;

/** Where the first contract of the first development account lands: what a network without a client names. */
const FIRST_CONTRACT_ADDRESS = "0x5fbdb2315678afecb367f032d93f642f64180aa3";

const DEPLOY_TIMEOUT_MS = 30_000;

export interface NetworkPlan {
  readonly dir: string;
  readonly validators: number;
  /** Whole seconds, as the execution layer counts. */
  readonly secondsPerSlot: number;
  readonly genesisDelayMs: number;
  /** Null makes a network whose genesis stands on no execution block. */
  readonly elUrl: string | null;
  /** A contract that is deployed already; null deploys one. */
  readonly contract: `0x${string}` | null;
  readonly messageBusForkEpoch: number;
  readonly bootnodes: readonly string[];
}

export interface MadeNetwork {
  readonly contract: `0x${string}`;
  /** Unix seconds. */
  readonly genesisTime: number;
  /** 32 bytes. */
  readonly genesisValidatorsRoot: Uint8Array;
  /** At epoch 0, 8 hex digits. */
  readonly forkDigest: string;
  /** From MESSAGE_BUS_FORK_EPOCH on. */
  readonly messageBusForkDigest: string;
  readonly deployBlock: number;
}

/** The development account that may ask for a validator's exit. */
export function withdrawalAccountOf(validatorIndex: number): number {
  return validatorIndex % WITHDRAWAL_ACCOUNTS;
}

/** @throws CodedError of the execution client, of `createGenesisState` and of `writeNetworkDir`. */
export async function makeNetwork(plan: NetworkPlan, clock: Clock): Promise<MadeNetwork> {
  const { contract, deployBlock, latestPayload } = await executionGenesis(plan, clock);
  // Slots of an epoch of the chain must be later than the execution block that the first payload follows.
  const earliestTime = latestPayload.timestamp + plan.secondsPerSlot;
  const genesisTime = Math.max(Math.ceil((clock.nowMs() + plan.genesisDelayMs) / 1000), earliestTime);
  const network = networkConfig(plan, contract);
  const { config, state } = createGenesisState(network, {
    validators: genesisValidators(plan.validators),
    genesisTime,
    latestPayload,
  });
  await writeNetworkDir(plan.dir, { network, genesisState: state, bootnodes: plan.bootnodes, deployBlock });
  return {
    contract,
    genesisTime,
    genesisValidatorsRoot: config.genesisValidatorsRoot,
    forkDigest: computeForkDigestHex(config, 0),
    messageBusForkDigest: computeForkDigestHex(config, plan.messageBusForkEpoch),
    deployBlock,
  };
}

interface ExecutionGenesis {
  readonly contract: `0x${string}`;
  readonly deployBlock: number;
  readonly latestPayload: ExecutionPayload;
}

async function executionGenesis(
  { elUrl, contract, secondsPerSlot }: NetworkPlan,
  clock: Clock,
): Promise<ExecutionGenesis> {
  if (elUrl === null) {
    const latestPayload = ExecutionPayload.defaultValue();
    return { contract: contract ?? FIRST_CONTRACT_ADDRESS, deployBlock: 0, latestPayload };
  }
  const rpc = new JsonRpc({ url: elUrl }, { clock, log: silentLogger });
  let deployBlock = 0;
  let address = contract;
  if (address === null) {
    const deployed = await deployMessageBus(elUrl, anvilAccount(0).privateKey, {
      clock,
      timeoutMs: DEPLOY_TIMEOUT_MS,
      onSent: () => mineNow(rpc),
    });
    address = deployed.address;
    deployBlock = deployed.blockNumber;
  } else {
    await checkContract(rpc, address, "latest");
  }
  const engine = new AnvilEngine(
    { url: elUrl, contract: address, contestSeconds: secondsPerSlot },
    { clock, log: silentLogger },
  );
  return { contract: address, deployBlock, latestPayload: await engine.getHeadPayload() };
}

/** An anvil with --no-mining waits for this; a client that mines by itself may not know the method. */
async function mineNow(rpc: JsonRpc): Promise<void> {
  try {
    await rpc.request("write", "evm_mine", [], z.unknown());
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== "EL_REFUSED") throw error;
  }
}

function networkConfig(plan: NetworkPlan, contract: `0x${string}`): NetworkConfig {
  return {
    chain: {
      ...FORKS_AT_GENESIS,
      PRESET_BASE: ACTIVE_PRESET,
      CONFIG_NAME: "msgbus-devnet",
      SECONDS_PER_SLOT: plan.secondsPerSlot,
      SLOT_DURATION_MS: plan.secondsPerSlot * 1000,
      MIN_GENESIS_ACTIVE_VALIDATOR_COUNT: plan.validators,
      GENESIS_DELAY: 0,
      // A fresh chain can exit its validators at once.
      SHARD_COMMITTEE_PERIOD: 0,
      BLOB_SCHEDULE: [],
    },
    messageBus: {
      ...DEFAULT_MESSAGE_BUS_PARAMETERS,
      MESSAGE_BUS_FORK_EPOCH: plan.messageBusForkEpoch,
      MESSAGE_BUS_CONTRACT_ADDRESS: fromHex(contract),
    },
  };
}

/** Interop keys; 0x01 and 0x02 credentials in turn. */
function genesisValidators(count: number): GenesisValidator[] {
  const addresses = Array.from({ length: WITHDRAWAL_ACCOUNTS }, (_, i) => fromHex(anvilAccount(i).address));
  return getInteropKeys(count).map(({ pubkey }, index) => {
    const withdrawalCredentials = new Uint8Array(32);
    withdrawalCredentials[0] = index % 2 === 0 ? 0x01 : 0x02;
    withdrawalCredentials.set(addresses[withdrawalAccountOf(index)] as Uint8Array, 12);
    return { pubkey, withdrawalCredentials };
  });
}
