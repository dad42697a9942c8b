import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { uncompress } from "snappy";
import { bytesToHex } from "viem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { proveCommand } from "../../src/cli/prove.ts";
import { sendCommand } from "../../src/cli/send.ts";
import { leafOf } from "../../src/execution/contract.ts";
import { anvilAccount, startAnvil } from "../../src/lab/anvil.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { type DevChain, startDevChain } from "../execution/devchain.ts";
import { rootFromProof } from "../execution/proof.ts";

const PUBKEY = `0x${"ab".repeat(48)}`;
const KEY = anvilAccount(5).privateKey;

let chain: DevChain;
let dir: string;

beforeAll(async () => {
  chain = await startDevChain();
  dir = await mkdtemp(join(tmpdir(), "msgbus-prove-"));
});

afterAll(async () => {
  await chain.anvil.stop();
  await rm(dir, { recursive: true });
});

type CommandFactory = (stdout: { write(text: string): boolean }) => Command;

/** Runs the command as the program does, and returns what it printed. */
async function run(factory: CommandFactory, args: readonly string[]): Promise<string> {
  let printed = "";
  const write = (text: string) => {
    printed += text;
    return true;
  };
  const command = factory({ write })
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  await command.parseAsync(args, { from: "user" });
  return printed;
}

/** Runs a command that waits for a block, and mines until it has what it wants. */
async function whileMining<T>(running: Promise<T>): Promise<T> {
  const cancel = systemClock.every(50, () => void chain.anvil.mine());
  try {
    return await running;
  } finally {
    cancel();
  }
}

function sendArgs(changes: Record<string, string> = {}): string[] {
  const options = { "el-url": chain.anvil.url, contract: chain.contract, key: KEY, pubkey: PUBKEY, ...changes };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

function proveArgs(changes: Record<string, string> = {}): string[] {
  const options = { "el-url": chain.anvil.url, contract: chain.contract, out: join(dir, "exit"), ...changes };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

function send(changes?: Record<string, string>, ...flags: string[]): Promise<string> {
  return run(sendCommand, [...sendArgs(changes), ...flags]);
}

function prove(changes?: Record<string, string>, ...flags: string[]): Promise<string> {
  return run(proveCommand, [...proveArgs(changes), ...flags]);
}

describe("msgbus send", () => {
  test("prints transaction, block, index and leaf of the message", async () => {
    const event = JSON.parse(await whileMining(send({}, "--json")));
    const { address } = anvilAccount(5);
    expect(event).toMatchObject({ event: "message_sent", pubkey: PUBKEY, sender: address, contract: chain.contract });
    const messages = await chain.engine.getMessages(Buffer.from(event.blockHash.slice(2), "hex"));
    const message = messages.find(({ index }) => index === BigInt(event.index));
    expect(message).toBeDefined();
    if (message === undefined) return;
    expect(event.leaf).toBe(bytesToHex(leafOf(message)));
    expect(event.transactionHash).toBe(bytesToHex(message.transactionHash));
    expect(bytesToHex(message.payload)).toBe(PUBKEY);

    const lines = await whileMining(send());
    expect(lines).toMatch(
      /^tx {5}0x[0-9a-f]{64}\nblock {2}\d+ 0x[0-9a-f]{64}\nindex {2}\d+\nleaf {3}0x[0-9a-f]{64}\n$/,
    );
  });

  test("two messages in one block both get enough gas", async () => {
    const sent = [
      send({ key: anvilAccount(6).privateKey }, "--json"),
      send({ key: anvilAccount(7).privateKey }, "--json"),
    ];
    const events = (await whileMining(Promise.all(sent))).map((line) => JSON.parse(line));
    expect(new Set(events.map(({ index }) => index)).size).toBe(2);
  });

  test.each([
    ["a zero key", { key: `0x${"00".repeat(32)}` }, "BAD_KEY", "above zero"],
    ["a key above the curve's order", { key: `0x${"ff".repeat(32)}` }, "BAD_KEY", "secp256k1"],
    ["an address without code", { contract: `0x${"11".repeat(20)}` }, "NO_CONTRACT", "there is no code"],
    ["an execution client that is away", { "el-url": "http://127.0.0.1:1" }, "EL_UNAVAILABLE", "Check that it runs"],
    ["another chain", { "chain-id": "1" }, "WRONG_CHAIN", "on chain 31337, not 1"],
    ["an account without ether", { key: `0x${"12".repeat(32)}` }, "TRANSACTION_REFUSED", "has ether"],
    ["a block that does not come", { timeout: "0.1" }, "TRANSACTION_PENDING", "--timeout"],
  ])("%s is said in words", async (_name, changes, code, words) => {
    await expect(send(changes as Record<string, string>)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
    await chain.anvil.mine();
  });

  test.each([
    ["a short pubkey", { pubkey: "0xabcd" }],
    ["a pubkey without 0x", { pubkey: "ab".repeat(48) }],
    ["a short key", { key: "0x12" }],
    ["a contract that is no address", { contract: "0x12" }],
    ["a URL that is none", { "el-url": "localhost" }],
    ["a timeout of zero", { timeout: "0" }],
  ])("%s is a usage error", async (_name, changes) => {
    await expect(send(changes as Record<string, string>)).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });

  test("a contract that is not a message bus is said", async () => {
    const anvil = await startAnvil({}, systemClock);
    try {
      // The deterministic deployment proxy, which anvil has from the start.
      const other = { "el-url": anvil.url, contract: "0x4e59b44847b379578588920ca78fbf26c0b4956c" };
      await expect(send(other)).rejects.toMatchObject({
        code: "NO_CONTRACT",
        message: expect.stringContaining("does not answer getMessageRoot()"),
      });
    } finally {
      await anvil.stop();
    }
  });
});

describe("msgbus prove", () => {
  let sent: { index: string; transactionHash: string; blockNumber: number };

  beforeAll(async () => {
    sent = JSON.parse(await whileMining(send({}, "--json")));
    await chain.submit(new Uint8Array(3), { messageType: 1n });
    await chain.anvil.mine();
  });

  async function proofRoot(operation: TriggeredExit): Promise<string> {
    const { messageSender, messageIndex, proof } = operation.messageBusSignal;
    const leaf = leafOf({ messageType: 1n, sender: messageSender, payload: operation.data.pubkey });
    return bytesToHex(rootFromProof(leaf, Number(messageIndex), proof));
  }

  test("proves by index against the newest root, and says which it is", async () => {
    const event = JSON.parse(await prove({ index: sent.index }, "--json"));
    const file = await readFile(join(dir, "exit"));
    expect(file).toHaveLength(1132);
    const operation = TriggeredExit.deserialize(file);
    expect(event).toMatchObject({ event: "proven", index: sent.index, pubkey: PUBKEY, file: join(dir, "exit") });
    expect(await proofRoot(operation)).toBe(event.root);
    const head = await chain.engine.getHeadPayload();
    expect(event.root).toBe(bytesToHex(head.messageBusRoot));
    expect(bytesToHex(operation.messageBusSignal.messageSender)).toBe(anvilAccount(5).address);
    expect(await prove({ index: sent.index })).toMatch(/^message {2}\d+ of \d+, sent by 0x/);
  });

  test("proves by transaction against the root of an older block", async () => {
    const { index, transactionHash, blockNumber } = sent;
    const event = JSON.parse(await prove({ tx: transactionHash, block: String(blockNumber) }, "--json"));
    expect(event).toMatchObject({ index, blockNumber });
    const operation = TriggeredExit.deserialize(await readFile(join(dir, "exit")));
    expect(await proofRoot(operation)).toBe(event.root);
  });

  test("writes the same operation in every format", async () => {
    const { index } = sent;
    await prove({ index, out: join(dir, "a.ssz"), format: "ssz" });
    await prove({ index, out: join(dir, "a.ssz_snappy"), format: "snappy" });
    await prove({ index, out: join(dir, "a.json"), format: "json" });
    const ssz = await readFile(join(dir, "a.ssz"));
    expect(await uncompress(await readFile(join(dir, "a.ssz_snappy")))).toEqual(ssz);
    const json = TriggeredExit.fromJson(JSON.parse(await readFile(join(dir, "a.json"), "utf8")));
    expect(Buffer.from(TriggeredExit.serialize(json))).toEqual(ssz);
  });

  test("without a message to prove says how to choose one", async () => {
    await expect(prove()).rejects.toMatchObject({
      code: "NO_MESSAGE_CHOSEN",
      message: expect.stringContaining("--index"),
    });
    await expect(prove({ index: "0", tx: `0x${"11".repeat(32)}` })).rejects.toMatchObject({
      code: "commander.conflictingOption",
    });
  });

  test.each([
    ["an index that the contract does not have", { index: "1000" }, "NO_SUCH_MESSAGE", "message 1000"],
    ["a transaction without a message", { tx: `0x${"11".repeat(32)}` }, "NO_SUCH_MESSAGE", "0x1111"],
    ["a block that is not there", { index: "0", block: "100000" }, "NO_SUCH_BLOCK", "the newest one is"],
    ["a block before the contract", { index: "0", block: "0" }, "NO_CONTRACT", "there is no code"],
    ["an execution client that is away", { index: "0", "el-url": "http://127.0.0.1:1" }, "EL_UNAVAILABLE", "runs"],
    ["a directory that is not there", { index: "0", out: "/nowhere/at/all" }, "OUT_NOT_WRITABLE", "/nowhere/at/all"],
  ])("%s is said in words", async (_name, changes, code, words) => {
    await expect(prove(changes as Record<string, string>)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
  });

  test("logs that begin too late is said in words", async () => {
    const { blockNumber } = await chain.engine.getHeadPayload();
    const [first] = await chain.engine.getMessagesInRange(0, blockNumber);
    const late = prove({ index: "0", "from-block": String((first?.blockNumber ?? 0) + 1) });
    await expect(late).rejects.toMatchObject({
      code: "MESSAGE_ROOT_MISMATCH",
      message: expect.stringContaining("--from-block"),
    });
  });

  test("a message that is no exit is refused with what it is", async () => {
    const count = await chain.engine.getMessageCount((await chain.engine.getHeadPayload()).blockHash);
    await expect(prove({ index: String(count - 1n) })).rejects.toMatchObject({
      code: "NO_EXIT_MESSAGE",
      message: expect.stringContaining("3 bytes"),
    });
  });
});

test.each([sendCommand, proveCommand])("help has examples", (factory) => {
  let help = "";
  const command = factory().configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  expect(help).toContain("Examples:\n  $ msgbus ");
});
