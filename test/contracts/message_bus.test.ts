import { bytesToHex, type Hex } from "viem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { deployMessageBus, encodeSentMessage, leafOf } from "../../src/execution/contract.ts";
import { MESSAGE_BUS_RUNTIME_BYTECODE } from "../../src/execution/contract_artifact.ts";
import { ContractReader } from "../../src/execution/contract_reader.ts";
import { JsonRpc } from "../../src/execution/json_rpc.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { dataSchema, hashSchema, receiptSchema } from "../../src/execution/rpc_types.ts";
import { type Anvil, anvilAccount, startAnvil } from "../../src/lab/anvil.ts";

const SEED = 20_261_122;
const MESSAGES = 300;

/** Gas is set by hand, so that many messages can wait for one block. */
const GAS_LIMIT = 3_000_000;

let anvil: Anvil;
let rpc: JsonRpc;
let contract: Hex;
let reader: ContractReader;

beforeAll(async () => {
  anvil = await startAnvil({}, systemClock);
  rpc = new JsonRpc({ url: anvil.url }, { clock: systemClock, log: silentLogger });
  const deps = { clock: systemClock, timeoutMs: 10_000, onSent: () => anvil.mine() };
  const deployed = await deployMessageBus(anvil.url, anvilAccount(0).privateKey, deps);
  contract = deployed.address;
  reader = new ContractReader(rpc, contract);
});

afterAll(() => anvil.stop());

function submit(sender: number, messageType: bigint, payload: Uint8Array): Promise<Uint8Array> {
  const data = encodeSentMessage(messageType, payload);
  const transaction = { from: anvilAccount(sender).address, to: contract, gas: `0x${GAS_LIMIT.toString(16)}`, data };
  return rpc.request("write", "eth_sendTransaction", [transaction], hashSchema);
}

async function gasOf(hash: Uint8Array): Promise<number> {
  const receipt = await rpc.request("read", "eth_getTransactionReceipt", [bytesToHex(hash)], receiptSchema);
  expect(receipt.status).toBe(1n);
  return receipt.gasUsed;
}

function randomMessage(random: ReturnType<typeof seededRandom>): { messageType: bigint; payload: Uint8Array } {
  const sizes = [0, 1, 31, 32, 33, 48, 48, 48, 64, 200, 1_500];
  return {
    messageType: random.below(2) === 0 ? 1n : BigInt(bytesToHex(random.bytes(32))),
    payload: random.bytes(sizes[random.below(sizes.length)] ?? 0),
  };
}

describe("message bus contract", () => {
  test("the deployed code is the artifact's", async () => {
    const code = await rpc.request("read", "eth_getCode", [contract, "latest"], dataSchema);
    expect(bytesToHex(code)).toBe(MESSAGE_BUS_RUNTIME_BYTECODE);
  });

  test("an empty contract has the root of an empty tree", async () => {
    const { blockHash } = await reader.getHead();
    expect(await reader.getMessageRoot(blockHash)).toEqual(new MessageTree().rootAt(0));
    expect(await reader.getMessageCount(blockHash)).toBe(0n);
  });

  test(`roots and logs of ${MESSAGES} random messages, several in a block, are those of our tree`, async () => {
    const random = seededRandom(SEED);
    const tree = new MessageTree();
    while (tree.count < MESSAGES) {
      const burst = Math.min(random.below(4) === 0 ? 1 + random.below(12) : 1, MESSAGES - tree.count);
      const sent = [];
      for (let i = 0; i < burst; i++) {
        const message = randomMessage(random);
        const account = random.below(10);
        const sender = anvilAccount(account).address;
        sent.push(bytesToHex(leafOf({ ...message, sender: Buffer.from(sender.slice(2), "hex") })));
        await submit(account, message.messageType, message.payload);
      }
      await anvil.mine();
      const { blockHash } = await reader.getHead();
      const logged = await reader.getMessages(blockHash);
      for (const message of logged) {
        expect(message.index).toBe(BigInt(tree.count));
        tree.append(leafOf(message));
      }
      expect(logged.map((message) => bytesToHex(leafOf(message))).sort()).toEqual(sent.sort());
      expect(await reader.getMessageCount(blockHash)).toBe(BigInt(tree.count));
      expect(await reader.getMessageRoot(blockHash)).toEqual(tree.rootAt(tree.count));
    }
  });

  test("an old block keeps its root", async () => {
    const before = await reader.getHead();
    await submit(1, 1n, new Uint8Array(48));
    await anvil.mine();
    const fresh = new ContractReader(rpc, contract);
    const messages = await fresh.getMessagesInRange(0, before.blockNumber);
    const tree = new MessageTree();
    for (const message of messages) tree.append(leafOf(message));
    expect(await fresh.getMessageRoot(before.blockHash)).toEqual(tree.rootAt(messages.length));
  });

  test.each([0, 60_000])("takes a payload of %i bytes and logs it whole", async (sizeBytes) => {
    const payload = seededRandom(sizeBytes).bytes(sizeBytes);
    await submit(2, 9n, payload);
    await anvil.mine();
    const { blockHash } = await reader.getHead();
    const [message] = await reader.getMessages(blockHash);
    expect(message?.messageType).toBe(9n);
    expect(Buffer.from(message?.payload ?? []).equals(payload)).toBe(true);
  });

  test("an exit message costs at most 72,000 gas, and 45,000 on average", async () => {
    const deps = { clock: systemClock, timeoutMs: 10_000, onSent: () => anvil.mine() };
    const deployed = await deployMessageBus(anvil.url, anvilAccount(0).privateKey, deps);
    expect(deployed.gasUsed).toBeLessThan(1_400_000);
    contract = deployed.address;
    const hashes: Uint8Array[] = [];
    for (let i = 0; i < 64; i++) {
      hashes.push(await submit(i % 10, 1n, seededRandom(i).bytes(48)));
      await anvil.mine();
    }
    const gas: number[] = [];
    for (const hash of hashes) gas.push(await gasOf(hash));
    expect(Math.max(...gas)).toBeLessThanOrEqual(72_000);
    expect(gas.reduce((sum, each) => sum + each) / gas.length).toBeLessThanOrEqual(45_000);
  });

  test("takes no ether", async () => {
    const transaction = {
      from: anvilAccount(0).address,
      to: contract,
      value: "0x1",
      data: encodeSentMessage(1n, new Uint8Array(48)),
    };
    const call = rpc.request("read", "eth_call", [transaction, "latest"], dataSchema);
    await expect(call).rejects.toMatchObject({ code: "EL_REFUSED" });
  });
});
