import { describe, expect, test } from "vitest";
import type { NodeExits } from "../../src/node_exits.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import type { TriggeredExit } from "../../src/spec/types.ts";
import { createStateView } from "../../src/state/view.ts";
import { ExitScenario, type Sent, STRANGER } from "../state/exit_scenario.ts";
import { createScenarioExits } from "./scenario_exits.ts";

/** The exits of a node that follows the scenario's contract. */
function createExits(scenario: ExitScenario, poolLimit?: number) {
  const published: Uint8Array[] = [];
  const codes: string[] = [];
  const node = { peers: 1 };
  const { exits, pool, onHead } = createScenarioExits(scenario, {
    pool: new TriggeredExitPool(poolLimit),
    publish: async (ssz) => {
      published.push(ssz);
      return { topic: "", recipients: node.peers, duplicate: false };
    },
    proveAgain: ({ messageBusSignal: signal, data }) => {
      const proof = scenario.tree.proofFor(Number(signal.messageIndex), scenario.tree.count);
      return { messageBusSignal: { ...signal, proof }, data };
    },
    onEvent: (event) => void (event.event === "verdict" && codes.push(event.code)),
  });
  return { exits, pool, published, codes: () => codes, node, onHead };
}

function form(exits: NodeExits, { sender, index }: Sent, exit: TriggeredExit): void {
  const hash = new Uint8Array(32);
  exits.onFormed(exit, { index: BigInt(index), messageType: 1n, sender, transactionHash: hash, blockNumber: 1 });
}

/** Exits of these validators are in a block, and that block is final. */
function finalize(scenario: ExitScenario, pool: TriggeredExitPool, validators: readonly number[]): void {
  for (const index of validators) scenario.head.validators.get(index).exitEpoch = 9;
  scenario.head.commit();
  const view = createStateView(scenario.head);
  pool.onFinalized(view, view.roots);
}

describe("a node's exits", () => {
  test("exits: what finds the pool full comes in as blocks make room, though all have seen it, and is not spread again", () => {
    const scenario = new ExitScenario();
    const sent = [3, 4, 5, 6].map((index) => scenario.send(index));
    scenario.storeRoot();
    const { exits, pool, published, codes, onHead } = createExits(scenario, 2);
    for (const message of sent) form(exits, message, scenario.operation(message));
    expect(codes()).toEqual(["VALID", "VALID", "VALID", "VALID"]);
    expect([pool.size, pool.waitingCount, published.length]).toEqual([2, 2, 4]);

    finalize(scenario, pool, [3]);
    onHead();
    expect(Array.from(pool.pending(), ({ validatorIndex }) => validatorIndex)).toEqual([4, 5]);
    expect([pool.waitingCount, published.length]).toEqual([1, 4]);

    // Somebody else packed the one that still waits.
    finalize(scenario, pool, [4, 5, 6]);
    onHead();
    expect([pool.size, pool.waitingCount, published.length]).toEqual([0, 1, 4]);
  });

  test("exits: a message of a block whose root was never stored is proven against the newest root", () => {
    const scenario = new ExitScenario();
    // As before the fork: both messages are in the contract, and only the root after both is in the state.
    const first = scenario.send(3);
    const formed = scenario.operation(first);
    scenario.send(4);
    scenario.storeRoot();
    const { exits, pool, published, codes } = createExits(scenario);
    form(exits, first, formed);
    expect(codes()).toEqual(["UNKNOWN_ROOT", "VALID"]);
    expect(pool.get(3)?.validatorIndex).toBe(3);
    expect(published).toHaveLength(1);
  });

  test("exits: what the newest root does not prove either is judged once", () => {
    const scenario = new ExitScenario();
    const sent = scenario.send(3);
    const { exits, published, codes } = createExits(scenario);
    form(exits, sent, scenario.operation(sent));
    expect(codes()).toEqual(["UNKNOWN_ROOT"]);
    expect(published).toHaveLength(0);
  });

  test("exits: a bad message that the node forms goes nowhere", () => {
    const scenario = new ExitScenario();
    const sent = scenario.send(3, STRANGER);
    scenario.storeRoot();
    const { exits, pool, published, codes } = createExits(scenario);
    form(exits, sent, scenario.operation(sent));
    expect(codes()).toEqual(["WRONG_SENDER"]);
    expect([pool.size, published.length]).toEqual([0, 0]);
  });

  test("exits: what waits for a block longer than its root lasts is proven again and spread again", async () => {
    const scenario = new ExitScenario();
    const sent = scenario.send(3);
    scenario.storeRoot();
    const { exits, pool, published, codes, onHead } = createExits(scenario);
    await exits.submit(scenario.operation(sent));
    const root = scenario.tree.rootAt(scenario.tree.count);
    scenario.send(4);
    for (let age = 1; age < BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR; age++) {
      scenario.nextPayload();
      onHead();
    }
    const newest = scenario.tree.rootAt(scenario.tree.count);
    expect(codes()).toEqual(["VALID", "VALID"]);
    expect(published).toHaveLength(2);
    expect(createStateView(scenario.head).roots.payloadsUntilEvicted(root)).toBe(0);
    expect(pool.get(3)?.root).toEqual(newest);
    expect(pool.localStatus(3)?.state).toBe("pending");
  });

  test("exits: an exit that a block of the head holds is not proven again", async () => {
    const scenario = new ExitScenario();
    const sent = scenario.send(3);
    scenario.storeRoot();
    const { exits, codes, onHead } = createExits(scenario);
    await exits.submit(scenario.operation(sent));
    scenario.send(4);
    scenario.head.validators.get(3).exitEpoch = scenario.head.epochCtx.epoch + 5;
    for (let age = 1; age < BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR; age++) scenario.nextPayload();
    onHead();
    expect(codes()).toEqual(["VALID"]);
  });

  test("exits: what reached nobody is sent with a later head, but not once others would refuse it", async () => {
    const scenario = new ExitScenario();
    const sent = [3, 4].map((index) => scenario.send(index));
    scenario.storeRoot();
    const { exits, published, node, onHead } = createExits(scenario);
    node.peers = 0;
    for (const one of sent) await exits.submit(scenario.operation(one));
    node.peers = 1;
    scenario.head.validators.get(3).exitEpoch = scenario.head.epochCtx.epoch + 5;
    scenario.head.commit();
    onHead();
    onHead();
    expect(published.map((ssz) => Buffer.from(ssz.subarray(-48)).toString("hex"))).toEqual(
      [3, 4, 4].map((index) => Buffer.from(scenario.pubkey(index)).toString("hex")),
    );
  });
});
