/** Sending on a chain whose blocks and nonces move meanwhile. */
import { type Hex, hexToBytes } from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { type SentMessage, sendMessage } from "../../src/execution/contract.ts";
import { anvilAccount } from "../../src/lab/anvil.ts";
import { type DevChain, startDevChain } from "./devchain.ts";

const TIMEOUT_MS = 30_000;
const ACCOUNT = anvilAccount(3);

let chain: DevChain;

beforeAll(async () => {
  chain = await startDevChain();
});
afterAll(() => chain.anvil.stop());

function send(payload = 5, onSent?: (hash: Hex) => void | Promise<void>): Promise<SentMessage> {
  return sendMessage(
    chain.anvil.url,
    ACCOUNT.privateKey,
    chain.contract,
    { messageType: 1n, payload: new Uint8Array(48).fill(payload) },
    { clock: systemClock, timeoutMs: TIMEOUT_MS, ...(onSent === undefined ? {} : { onSent }) },
  );
}

/** Mines until it is done, as a chain does. */
async function mineUntil<T>(done: Promise<T>): Promise<T> {
  const patience = new AbortController();
  const end = () => patience.abort();
  done.then(end, end);
  const endMs = systemClock.monotonicMs() + TIMEOUT_MS;
  while (!patience.signal.aborted && systemClock.monotonicMs() < endMs) await chain.anvil.mine();
  return done;
}

function drop(hash: Hex) {
  return chain.rpc.request("write", "anvil_dropTransaction", [hash], z.unknown());
}

async function nonce(): Promise<number> {
  return Number(await chain.rpc.request("read", "eth_getTransactionCount", [ACCOUNT.address, "latest"], z.string()));
}

test("send: three at once with one key all come in, each once", async () => {
  const before = await nonce();
  const sent = await mineUntil(Promise.all([send(1), send(2), send(3)]));
  expect(new Set(sent.map(({ index }) => index)).size).toBe(3);
  expect(await nonce()).toBe(before + 3);
});

/** Nothing is mined before `onSent` is through with it. */
async function sendAndMine(payload: number, onSent: (hash: Hex) => Promise<void>) {
  const first = Promise.withResolvers<Hex>();
  const sending = send(payload, async (hash) => {
    await onSent(hash);
    first.resolve(hash);
  });
  await Promise.race([first.promise, sending]);
  const sent = await mineUntil(sending);
  return { firstHash: await first.promise, hash: sent.transactionHash };
}

test("send: what the client has lost is sent again, as it was", async () => {
  const { firstHash, hash } = await sendAndMine(4, async (sentHash) => void (await drop(sentHash)));
  expect(hash).toBe(firstHash);
});

test("send: what was lost, and its nonce with it, is signed anew", async () => {
  const nonceHex = `0x${(await nonce()).toString(16)}`;
  const other = { from: ACCOUNT.address, to: anvilAccount(0).address, value: "0x1", nonce: nonceHex };
  const { firstHash, hash } = await sendAndMine(5, async (sentHash) => {
    await drop(sentHash);
    await chain.rpc.request("write", "eth_sendTransaction", [other], z.unknown());
    await chain.anvil.mine();
  });
  expect(hash).not.toBe(firstHash);
});

test("send: an account without ether is refused at once", async () => {
  const poor = sendMessage(
    chain.anvil.url,
    `0x${"11".repeat(32)}`,
    chain.contract,
    { messageType: 1n, payload: hexToBytes("0x00") },
    { clock: systemClock, timeoutMs: TIMEOUT_MS },
  );
  await expect(poor).rejects.toMatchObject({ code: "TRANSACTION_REFUSED" });
});
