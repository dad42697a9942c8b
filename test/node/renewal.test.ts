/** An exit that waits for a block longer than its root lasts, on a real chain with its contract. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { NodeExecution } from "../../src/node_execution.ts";
import { NodeExits } from "../../src/node_exits.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import { TriggeredExitValidator } from "../../src/validation/triggered_exit.ts";
import { startAnvilChain, WITHDRAWAL_ACCOUNT } from "../chain/anvil_chain.ts";
import { KEYS } from "../chain/network.ts";
import { startDevChain } from "../execution/devchain.ts";
import { until } from "../network/nodes.ts";

const VALIDATOR = 11;

let resources: AsyncDisposableStack;
beforeEach(() => {
  resources = new AsyncDisposableStack();
});
afterEach(() => resources.disposeAsync());

test("renewal: an exit that waits until its root leaves is proven again, spread again, and included", async () => {
  const dev = await startDevChain();
  resources.defer(() => dev.anvil.stop());
  const pool = new TriggeredExitPool();
  // As behind a thousand others.
  let isItsTurn = false;
  const { chain, config, nextSlot } = await startAnvilChain(dev.engine, dev.contract, (state) =>
    isItsTurn ? pool.pack(state, new Set()) : [],
  );
  resources.defer(() => chain.stop());
  const execution = new NodeExecution(
    { elUrl: dev.anvil.url, config, deployBlock: dev.deployed.blockNumber, anchorHash: dev.base.blockHash },
    { clock: systemClock, random: systemRandom, log: silentLogger, onEvent: () => {} },
    (operation, origin) => exits.onFormed(operation, origin),
  );
  const { follower } = execution;
  resources.defer(() => follower.stop());
  const validator = new TriggeredExitValidator({
    shardCommitteePeriodEpochs: 0,
    getViews: () => ({ ...chain.views(), synced: true, contract: follower }),
    clockEpoch: () => chain.slots.currentEpoch,
  });
  const published: Uint8Array[] = [];
  const exits: NodeExits = new NodeExits({
    validator,
    pool,
    headView: () => chain.views().head,
    publish: async (ssz) => {
      published.push(ssz);
      return { topic: "", recipients: 1, duplicate: false };
    },
    proveAgain: (exit) => follower.proveAgain(exit),
    onAccepted: () => {},
    isSynced: () => true,
    penalize: () => {},
    slotMs: config.SLOT_DURATION_MS,
    journal: null,
    restored: [],
    onEvent: () => {},
    clock: systemClock,
    log: silentLogger,
  });
  chain.events.on("head", (event) => {
    validator.onHead(chain.views().head);
    execution.onHead(event, true);
    exits.onHead();
  });
  const follow = async () => {
    await nextSlot();
    await until("the follower", () => follower.isCaughtUp);
  };

  await dev.submit((KEYS[VALIDATOR] as (typeof KEYS)[0]).pubkey, { sender: WITHDRAWAL_ACCOUNT });
  await follow();
  const first = pool.get(VALIDATOR);
  if (first === null) throw new Error("the exit was not formed");
  expect(published).toEqual([first.ssz]);

  // Any other message makes roots that differ from the exit's.
  await dev.submit(new Uint8Array(48).fill(1), { sender: 2 });
  for (let slot = 0; slot < BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR; slot++) await follow();
  const { roots } = chain.views().head;
  const second = pool.get(VALIDATOR);
  expect(roots.has(first.root)).toBe(false);
  expect(second !== null && roots.has(second.root)).toBe(true);
  expect(published).toEqual([first.ssz, second?.ssz]);

  isItsTurn = true;
  await follow();
  expect(chain.head.triggeredExits.map(({ validatorIndex }) => validatorIndex)).toEqual([VALIDATOR]);
});
