import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { type Chain, createChain } from "../../src/chain/chain.ts";
import { SlashingProtection } from "../../src/chain/slashing_protection.ts";
import { leafOf } from "../../src/execution/contract.ts";
import { formTriggeredExit } from "../../src/execution/form.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { anvilAccount } from "../../src/lab/anvil.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { TriggeredExitValidator } from "../../src/validation/triggered_exit.ts";
import { type DevChain, startDevChain } from "../execution/devchain.ts";
import { ManualClock } from "./manual_clock.ts";
import { KEYS, SLOT_MS } from "./network.ts";

const DEADLINE_MS = 20_000;
const VALIDATOR = 11;

let dev: DevChain;
let clock: ManualClock;
let chain: Chain;
const pool = new TriggeredExitPool();

beforeAll(async () => {
  dev = await startDevChain();
  const genesisTime = dev.base.timestamp + 2;
  const address = Buffer.from(anvilAccount(1).address.slice(2), "hex");
  const { config, state } = createGenesisState(
    {
      chain: {
        ...FORKS_AT_GENESIS,
        SHARD_COMMITTEE_PERIOD: 0,
        SLOT_DURATION_MS: SLOT_MS,
        SECONDS_PER_SLOT: SLOT_MS / 1000,
      },
      messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: 0 },
    },
    {
      validators: KEYS.map(({ pubkey }) => ({
        pubkey,
        withdrawalCredentials: Uint8Array.from([1, ...new Uint8Array(11), ...address]),
      })),
      genesisTime,
      latestPayload: dev.base,
    },
  );
  clock = new ManualClock(genesisTime * 1000);
  chain = createChain({
    config,
    anchorState: state,
    engine: dev.engine,
    network: {
      publishBlock: async () => {},
      publishAttestation: async () => {},
      requestBlocksByRange: async () => [],
      requestBlocksByRoot: async () => [],
      requestStatus: () => Promise.reject(new Error("no peers")),
      peerIds: () => [],
      reportPeer: () => {},
    },
    packTriggeredExits: (packState) => pool.pack(packState, new Set()),
    protection: new SlashingProtection(null),
    validators: new Map(KEYS.map(({ secretKey }, i) => [i, secretKey])),
    clock,
    logger: silentLogger,
  });
  chain.start();
});

afterAll(async () => {
  await chain.stop();
  await dev.anvil.stop();
});

/** The block of the next slot, as soon as it is the head. */
function nextSlot(): Promise<void> {
  const slot = chain.slots.currentSlot + 1;
  return new Promise((resolve, reject) => {
    const cancel = systemClock.after(DEADLINE_MS, () => reject(new Error(`No block at slot ${slot}`)));
    chain.events.once("head", () => {
      cancel();
      resolve();
    });
    clock.advanceTo(chain.slots.slotStartMs(slot));
  });
}

it("chain on anvil: carries a message of the contract into a block and an exit, and finalizes it", async () => {
  await nextSlot();
  const { pubkey } = KEYS[VALIDATOR] as (typeof KEYS)[0];
  await dev.submit(pubkey, { sender: 1 });
  await nextSlot();
  expect(chain.head.optimistic).toBe(false);
  const { blockHash, messageBusRoot } = chain.head.payload;
  const [message] = await dev.engine.getMessages(blockHash);
  if (message === undefined) throw new Error("The message is not in the block");
  const tree = new MessageTree();
  tree.append(leafOf(message));
  expect(messageBusRoot).toEqual(tree.rootAt(1));

  const validator = new TriggeredExitValidator({
    shardCommitteePeriodEpochs: 0,
    getViews: () => ({ ...chain.views(), synced: chain.isSynced(), contract: null }),
    clockEpoch: () => chain.slots.currentEpoch,
  });
  const exit = formTriggeredExit(message, 1, tree);
  const { operation, verdict } = validator.validateSerialized(TriggeredExit.serialize(exit));
  expect(verdict).toEqual({ result: "accept", code: "VALID" });
  if (operation !== null) pool.insert(operation, "local", chain.views().head.roots);

  const initiated: number[] = [];
  chain.events.on("exit_initiated", ({ validatorIndex }) => initiated.push(validatorIndex));
  const finalized: number[] = [];
  chain.events.on("finalized", ({ blocks }) => {
    for (const { triggeredExits } of blocks)
      finalized.push(...triggeredExits.map(({ validatorIndex }) => validatorIndex));
  });
  await nextSlot();
  expect(initiated).toEqual([VALIDATOR]);
  expect(chain.views().head.getValidator(VALIDATOR)?.exitEpoch).toBeLessThan(100);
  for (let slot = 0; slot < 64 && chain.finalized.epoch === 0; slot++) await nextSlot();
  expect(finalized).toEqual([VALIDATOR]);
  expect(chain.views().finalized.getValidator(VALIDATOR)?.exitEpoch).toBeLessThan(100);
});
