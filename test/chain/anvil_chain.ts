/** A chain of one node on a real anvil, whose clock the test moves on. */
import { fromHex } from "@lodestar/utils";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { type Chain, createChain } from "../../src/chain/chain.ts";
import type { PackTriggeredExits } from "../../src/chain/ports.ts";
import { SlashingProtection } from "../../src/chain/slashing_protection.ts";
import type { AnvilEngine } from "../../src/execution/anvil_engine.ts";
import { anvilAccount } from "../../src/lab/anvil.ts";
import {
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
} from "../../src/spec/config.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { ManualClock } from "./manual_clock.ts";
import { KEYS, SLOT_MS } from "./network.ts";

const DEADLINE_MS = 60_000;

/** The development account that may ask for any validator's exit. */
export const WITHDRAWAL_ACCOUNT = 1;

export interface AnvilChain {
  readonly chain: Chain;
  readonly config: MessageBusBeaconConfig;
  /** The block of the next slot, as soon as it is the head. */
  nextSlot(): Promise<void>;
}

/** @param contract the message bus's address, deployed or not. */
export async function startAnvilChain(
  engine: AnvilEngine,
  contract: string,
  packTriggeredExits: PackTriggeredExits,
): Promise<AnvilChain> {
  const latestPayload = await engine.getHeadPayload();
  const genesisTime = latestPayload.timestamp + 2;
  const address = fromHex(anvilAccount(WITHDRAWAL_ACCOUNT).address);
  const { config, state } = createGenesisState(
    {
      chain: {
        ...FORKS_AT_GENESIS,
        SHARD_COMMITTEE_PERIOD: 0,
        SLOT_DURATION_MS: SLOT_MS,
        SECONDS_PER_SLOT: SLOT_MS / 1000,
      },
      messageBus: {
        ...DEFAULT_MESSAGE_BUS_PARAMETERS,
        MESSAGE_BUS_FORK_EPOCH: 0,
        MESSAGE_BUS_CONTRACT_ADDRESS: fromHex(contract),
      },
    },
    {
      validators: KEYS.map(({ pubkey }) => ({
        pubkey,
        withdrawalCredentials: Uint8Array.from([1, ...new Uint8Array(11), ...address]),
      })),
      genesisTime,
      latestPayload,
    },
  );
  const clock = new ManualClock(genesisTime * 1000);
  const chain = createChain({
    config,
    anchorState: state,
    engine,
    network: {
      publishBlock: async () => {},
      publishAttestation: async () => {},
      requestBlocksByRange: async () => [],
      requestBlocksByRoot: async () => [],
      requestStatus: () => Promise.reject(new Error("no peers")),
      peerIds: () => [],
      reportPeer: () => {},
    },
    packTriggeredExits,
    protection: new SlashingProtection(null),
    validators: new Map(KEYS.map(({ secretKey }, i) => [i, secretKey])),
    clock,
    logger: silentLogger,
  });
  chain.start();
  const nextSlot = () => {
    const slot = chain.slots.currentSlot + 1;
    return new Promise<void>((resolve, reject) => {
      const cancel = systemClock.after(DEADLINE_MS, () => reject(new Error(`No block at slot ${slot}`)));
      chain.events.once("head", () => {
        cancel();
        resolve();
      });
      clock.advanceTo(chain.slots.slotStartMs(slot));
    });
  };
  return { chain, config, nextSlot };
}
