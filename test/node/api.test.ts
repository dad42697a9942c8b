/** The API's answers from a real chain. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fromRootHex } from "../../src/chain/root_hex.ts";
import type { Network } from "../../src/network/network.ts";
import { NodeApi } from "../../src/node_api.ts";
import type { NodeExits } from "../../src/node_exits.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { TestNetwork, type TestNode } from "../chain/network.ts";

let network: TestNetwork;
let node: TestNode;
let api: NodeApi;

beforeEach(async () => {
  network = TestNetwork.withNodes(2);
  [node] = network.nodes as [TestNode];
  const rest = { network: {} as Network, exits: {} as NodeExits, pool: new TriggeredExitPool() };
  api = new NodeApi({ chain: node.chain, ...rest, isExecutionAvailable: () => true, attestationSubnets: 2 });
  await network.run(2);
});

afterEach(() => network.stop());

async function stateRootOf(root: string): Promise<Uint8Array> {
  const found = await node.chain.getBlock(root);
  return found?.block.header.message.stateRoot as Uint8Array;
}

describe("the node's API", () => {
  test("api: a state is found by its own root, and tells whether it is optimistic", async () => {
    node.engine.syncing = true;
    await network.run(2);
    const root = await stateRootOf(node.chain.head.root);
    expect(node.chain.head.optimistic).toBe(true);
    for (const id of [
      { kind: "root", root },
      { kind: "name", name: "head" },
    ] as const) {
      expect(await api.getState(id)).toMatchObject({ executionOptimistic: true, finalized: false });
    }
    expect(await api.getState({ kind: "name", name: "genesis" })).toMatchObject({ executionOptimistic: false });
  });

  test("api: a block's root is no state's", async () => {
    expect(await api.getState({ kind: "root", root: fromRootHex(node.chain.head.root) })).toBe(null);
    expect(await api.getHeader({ kind: "root", root: fromRootHex(node.chain.head.root) })).not.toBe(null);
  });
});
