import { bytesToHex } from "viem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { AnvilEngine } from "../../src/execution/anvil_engine.ts";
import { ExecutionPayload } from "../../src/spec/types.ts";
import { attributesAt, createEngine, type DevChain, isMined, SLOT_SECONDS, startDevChain } from "./devchain.ts";

const NO_ROOT = new Uint8Array(32);
const PUBKEY = new Uint8Array(48).fill(0xab);

let chain: DevChain;
/** The payload that each test builds on: the last one that is on anvil's chain. */
let head: ExecutionPayload;

beforeAll(async () => {
  chain = await startDevChain();
  head = chain.base;
});

afterAll(() => chain.anvil.stop());

describe("anvil engine: build", () => {
  test("a payload is the block mined for it, with the consensus layer's own fields and the contract's root", async () => {
    const before = await chain.engine.getMessageRoot(head.blockHash);
    const transactionHash = await chain.submit(PUBKEY);
    const attributes = attributesAt(head.timestamp + SLOT_SECONDS);
    const { payload, executionRequests } = await chain.engine.buildPayload(head.blockHash, attributes);
    expect(payload.parentHash).toEqual(head.blockHash);
    expect(payload.blockNumber).toBe(head.blockNumber + 1);
    expect(payload.timestamp).toBe(attributes.timestamp);
    expect(payload.prevRandao).toEqual(attributes.prevRandao);
    expect(payload.withdrawals).toEqual(attributes.withdrawals);
    expect(payload.feeRecipient).toEqual(attributes.suggestedFeeRecipient);
    expect(payload.transactions).toHaveLength(1);
    expect(executionRequests).toEqual({ deposits: [], withdrawals: [], consolidations: [] });
    expect(payload.messageBusRoot).not.toEqual(before);
    expect(payload.messageBusRoot).toEqual(
      await createEngine(chain.anvil, chain.contract).getMessageRoot(payload.blockHash),
    );
    expect(await chain.engine.getMessageCount(payload.blockHash)).toBe(1n);
    const [message] = await chain.engine.getMessages(payload.blockHash);
    expect(message).toMatchObject({ index: 0n, messageType: 1n, payload: PUBKEY, transactionHash });
    expect(ExecutionPayload.deserialize(ExecutionPayload.serialize(payload))).toEqual(payload);
    head = payload;
  });

  test("on an orphaned head takes the block back, and its transactions come again", async () => {
    const transactionHash = await chain.submit(PUBKEY);
    const orphan = await chain.build(head);
    expect(await isMined(chain, transactionHash)).toBe(true);
    const next = await chain.build(head, 3);
    expect(next.parentHash).toEqual(head.blockHash);
    expect(next.transactions).toEqual(orphan.transactions);
    expect(await isMined(chain, transactionHash)).toBe(true);
    expect(await chain.engine.notifyNewPayload(orphan)).toMatchObject({ status: "SYNCING" });
    head = next;
  });

  test("takes several blocks back, and sends their transactions again in their order", async () => {
    const hashes: Uint8Array[] = [];
    let tip = head;
    for (let i = 0; i < 3; i++) {
      hashes.push(await chain.submit(PUBKEY, { sender: 3 }), await chain.submit(PUBKEY, { sender: 4 }));
      tip = await chain.build(tip);
    }
    // Three blocks are contested three times as long as one.
    await expect(chain.build(head, 8)).rejects.toMatchObject({ code: "BUILD_CONTESTED" });
    const next = await chain.build(head, 9);
    expect(next.transactions).toHaveLength(6);
    for (const hash of hashes) expect(await isMined(chain, hash)).toBe(true);
    head = next;
  });

  test("does not take back a block that may be on its way as a consensus block", async () => {
    const young = await chain.build(head);
    const other = createEngine(chain.anvil, chain.contract);
    const building = other.buildPayload(head.blockHash, attributesAt(young.timestamp + SLOT_SECONDS));
    await expect(building).rejects.toMatchObject({ code: "BUILD_CONTESTED" });
    expect(await chain.engine.notifyNewPayload(young)).toEqual({ status: "VALID", reason: "" });
    head = young;
  });

  test("an unknown parent is a coded error", async () => {
    const building = chain.engine.buildPayload(new Uint8Array(32).fill(1), attributesAt(head.timestamp + SLOT_SECONDS));
    await expect(building).rejects.toMatchObject({ code: "PARENT_NOT_FOUND" });
  });

  test("two nodes that build at once never both get a payload on the same parent", async () => {
    const other = createEngine(chain.anvil, chain.contract);
    for (let round = 0; round < 5; round++) {
      const attributes = attributesAt(head.timestamp + SLOT_SECONDS);
      const builds = [chain.engine, other].map((engine) => engine.buildPayload(head.blockHash, attributes));
      const built = (await Promise.allSettled(builds)).flatMap((result) =>
        result.status === "fulfilled" ? [result.value.payload] : [],
      );
      const valid = [];
      for (const payload of built) {
        expect(payload.parentHash).toEqual(head.blockHash);
        if ((await chain.engine.notifyNewPayload(payload)).status === "VALID") valid.push(payload);
      }
      expect(valid.length).toBe(1);
      head = valid[0] as ExecutionPayload;
    }
  });
});

describe("anvil engine: verify", () => {
  test("another node finds the payload valid", async () => {
    const other = createEngine(chain.anvil, chain.contract);
    expect(await other.notifyNewPayload(head)).toEqual({ status: "VALID", reason: "" });
  });

  test("a forged message bus root is invalid", async () => {
    const forged = { ...head, messageBusRoot: new Uint8Array(32).fill(0xee) };
    expect(await chain.engine.notifyNewPayload(forged)).toMatchObject({
      status: "INVALID",
      reason: expect.stringContaining("messageBusRoot"),
    });
  });

  const changes: [keyof ExecutionPayload, unknown][] = [
    ["parentHash", NO_ROOT],
    ["feeRecipient", new Uint8Array(20)],
    ["stateRoot", NO_ROOT],
    ["receiptsRoot", NO_ROOT],
    ["logsBloom", new Uint8Array(256).fill(1)],
    ["blockNumber", 1_000_000],
    ["gasLimit", 1],
    ["gasUsed", 1],
    ["timestamp", 1],
    ["extraData", Uint8Array.of(1)],
    ["baseFeePerGas", 1n],
    ["blobGasUsed", 1n],
    ["excessBlobGas", 1n],
    ["transactions", [Uint8Array.of(1)]],
  ];
  test.each(changes)("a payload with another %s is invalid", async (name, value) => {
    const changed = { ...head, [name]: value };
    expect(await chain.engine.notifyNewPayload(changed)).toEqual({
      status: "INVALID",
      reason: `${name} is not the execution block's`,
    });
  });

  test("a transaction changed in place is invalid", async () => {
    await chain.submit(PUBKEY);
    head = await chain.build(head);
    const transaction = Uint8Array.from(head.transactions[0] ?? []);
    transaction[transaction.length - 1] = (transaction.at(-1) ?? 0) ^ 1;
    const changed = { ...head, transactions: [transaction] };
    expect(await chain.engine.notifyNewPayload(changed)).toMatchObject({ status: "INVALID" });
  });

  test("a block that anvil does not have is syncing", async () => {
    const unknown = { ...head, blockHash: new Uint8Array(32).fill(5) };
    expect(await chain.engine.notifyNewPayload(unknown)).toMatchObject({ status: "SYNCING" });
    await expect(chain.engine.getMessages(unknown.blockHash)).rejects.toMatchObject({ code: "EL_UNKNOWN_BLOCK" });
    await expect(chain.engine.getMessageRoot(unknown.blockHash)).rejects.toMatchObject({ code: "EL_UNKNOWN_BLOCK" });
  });

  test("an address without the contract has no root yet, and verifies no payload that names one", async () => {
    const engine = createEngine(chain.anvil, "0x00000000000000000000000000000000000000aa");
    expect(await engine.getMessageRoot(head.blockHash)).toEqual(new Uint8Array(32));
    expect(await engine.notifyNewPayload({ ...head, messageBusRoot: new Uint8Array(32) })).toMatchObject({
      status: "VALID",
    });
    expect(await engine.notifyNewPayload(head)).toMatchObject({ status: "INVALID" });
  });

  test("code at the address that is no message bus is named, and verifies nothing", async () => {
    const address = "0x00000000000000000000000000000000000000ab";
    // PUSH0 PUSH0 REVERT
    await chain.rpc.request("write", "anvil_setCode", [address, "0x5f5ffd"], z.unknown());
    await chain.submit(PUBKEY);
    head = await chain.build(head);
    const engine = createEngine(chain.anvil, address);
    await expect(engine.getMessageRoot(head.blockHash)).rejects.toMatchObject({
      code: "NO_CONTRACT",
      message: expect.stringContaining("its code reverts"),
    });
    expect(await engine.notifyNewPayload(head)).toMatchObject({ status: "SYNCING" });
  });

  test("an execution client that is away makes payloads syncing and builds fail, and is told once", async () => {
    const changes: boolean[] = [];
    const engine = new AnvilEngine(
      { url: "http://127.0.0.1:1", contract: chain.contract, contestSeconds: 4 },
      { clock: systemClock, log: silentLogger, onAvailability: (available) => changes.push(available) },
    );
    expect(await engine.notifyNewPayload(head)).toMatchObject({ status: "SYNCING" });
    await expect(engine.buildPayload(head.blockHash, attributesAt(1))).rejects.toMatchObject({
      code: "EL_UNAVAILABLE",
    });
    await expect(engine.getMessageRoot(head.blockHash)).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    expect(engine.isAvailable).toBe(false);
    expect(changes).toEqual([false]);
  });

  test("messages of a range come in order of index with their blocks", async () => {
    const messages = await chain.engine.getMessagesInRange(chain.deployed.blockNumber, head.blockNumber);
    expect(messages.map((message) => message.index)).toEqual(messages.map((_, i) => BigInt(i)));
    expect(bytesToHex(messages.at(-1)?.blockHash ?? NO_ROOT)).toBe(bytesToHex(head.blockHash));
  });
});
