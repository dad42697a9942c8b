import { getContractAddress } from "viem";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { deployMessageBus, leafOf } from "../../src/execution/contract.ts";
import { formTriggeredExit } from "../../src/execution/form.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { anvilAccount } from "../../src/lab/anvil.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { TriggeredExitValidator } from "../../src/validation/triggered_exit.ts";
import { createEngine, startDevChain } from "../execution/devchain.ts";
import { startAnvilChain, WITHDRAWAL_ACCOUNT } from "./anvil_chain.ts";
import { KEYS } from "./network.ts";

const VALIDATOR = 11;

let resources: AsyncDisposableStack;
beforeEach(() => {
  resources = new AsyncDisposableStack();
});
afterEach(() => resources.disposeAsync());

it("chain on anvil: carries a message of the contract into a block and an exit, and finalizes it", async () => {
  const dev = await startDevChain();
  resources.defer(() => dev.anvil.stop());
  const pool = new TriggeredExitPool();
  const { chain, nextSlot } = await startAnvilChain(dev.engine, dev.contract, (state) => pool.pack(state, new Set()));
  resources.defer(() => chain.stop());
  await nextSlot();
  const { pubkey } = KEYS[VALIDATOR] as (typeof KEYS)[0];
  await dev.submit(pubkey, { sender: WITHDRAWAL_ACCOUNT });
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

it("chain on anvil: goes on without messages until the contract is deployed", async () => {
  const { anvil } = await startDevChain();
  resources.defer(() => anvil.stop());
  const { address, privateKey } = anvilAccount(5);
  const contract = getContractAddress({ from: address, nonce: 0n });
  const { chain, nextSlot } = await startAnvilChain(createEngine(anvil, contract), contract, () => []);
  resources.defer(() => chain.stop());
  await nextSlot();
  await nextSlot();
  expect(chain.head).toMatchObject({ slot: 2, optimistic: false });
  expect(chain.head.payload.messageBusRoot).toEqual(new Uint8Array(32));

  await deployMessageBus(anvil.url, privateKey, { clock: systemClock, timeoutMs: 10_000, onSent: nextSlot });
  const emptyRoot = new MessageTree().rootAt(0);
  expect(chain.head).toMatchObject({ slot: 3, optimistic: false });
  expect(chain.head.payload.messageBusRoot).toEqual(emptyRoot);
  expect(chain.views().head.roots.has(emptyRoot)).toBe(true);
});
