/** Sending a transaction until a block holds it, whatever happens to its nonce, its block or the client meanwhile. */
import { type Hex, keccak256, toHex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { z } from "zod";
import { type Clock, sleep } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import type { JsonRpc } from "./json_rpc.ts";
import { blockSchema, hashSchema, quantitySchema, receiptSchema } from "./rpc_types.ts";

/**
 * Gas on top of the estimate, unused gas being given back: the estimate is for the tree as it is, and a message that
 * comes in between can make ours climb all 32 levels (at most 1.2k gas each) and write a level's first node (22.1k).
 */
const MESSAGE_GAS_HEADROOM = 70_000n;

/** Paid to the block's proposer, in wei per gas. */
const PRIORITY_FEE_WEI = 1_000_000_000n;

/**
 * Times that a transaction is signed anew because another of the account's took its nonce: two programs with one key, or
 * a block that was taken back. All of them may come in when a block comes back, hence few.
 */
const MAX_SIGNINGS = 5;

const DEFAULT_POLL_MS = 200;

export interface SendDeps {
  readonly clock: Clock;
  /** How long to wait for the block that holds the transaction. */
  readonly timeoutMs: number;
  /** Awaited once the transaction is in the pool; a devnet mines here. */
  readonly onSent?: (transactionHash: Hex) => void | Promise<void>;
  /** How often the client is asked whether a block holds it. */
  readonly pollMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
  /** Refuses another chain than this. */
  readonly chainId?: number;
}

export type Receipt = z.infer<typeof receiptSchema>;

export interface Call {
  readonly to?: Hex;
  readonly data: Hex;
}

interface Signed {
  readonly raw: Hex;
  readonly hash: Hex;
  readonly nonce: number;
}

/** What a client tells of a transaction that it knows, as far as we ask: null before a block holds it. */
const transactionSchema = z.nullable(z.object({ blockHash: hashSchema.nullish() }));

/**
 * Sends a transaction and waits for its block.
 *
 * @throws CodedError `EL_UNAVAILABLE` (nothing was sent), `WRONG_CHAIN`, `TRANSACTION_REFUSED`,
 * `TRANSACTION_REVERTED`, `TRANSACTION_PENDING`, `INTERRUPTED`.
 */
export async function transact(rpc: JsonRpc, account: PrivateKeyAccount, call: Call, deps: SendDeps): Promise<Receipt> {
  const chainId = Number(await rpc.request("read", "eth_chainId", [], quantitySchema));
  if (deps.chainId !== undefined && deps.chainId !== chainId) {
    throw new CodedError(
      "WRONG_CHAIN",
      `The execution client is on chain ${chainId}, not ${deps.chainId}: give the URL of a client of the right chain`,
      { chainId },
    );
  }
  const receipt = await new Sending(rpc, account, call, chainId, deps).run();
  if (receipt.status !== 1n) {
    const transactionHash = toHex(receipt.transactionHash);
    throw new CodedError("TRANSACTION_REVERTED", `Transaction ${transactionHash} was mined, but reverted`, {
      transactionHash,
    });
  }
  return receipt;
}

class Sending {
  readonly #rpc: JsonRpc;
  readonly #account: PrivateKeyAccount;
  readonly #call: Call;
  readonly #chainId: number;
  readonly #deps: SendDeps;
  /** Oldest first, at most MAX_SIGNINGS; each has a nonce of its own. */
  readonly #signed: Signed[] = [];

  constructor(rpc: JsonRpc, account: PrivateKeyAccount, call: Call, chainId: number, deps: SendDeps) {
    this.#rpc = rpc;
    this.#account = account;
    this.#call = call;
    this.#chainId = chainId;
    this.#deps = deps;
  }

  async run(): Promise<Receipt> {
    const { clock, timeoutMs, onSent, pollMs = DEFAULT_POLL_MS, signal } = this.#deps;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    let { hash } = await this.#sign();
    let isInPool = false;
    for (;;) {
      const wasInPool = isInPool;
      try {
        const receipt = wasInPool ? await this.#receipt() : null;
        if (receipt !== null) return receipt;
        hash = await this.#keepInPool();
        isInPool = true;
      } catch (error) {
        // It may be sent although no answer came, and a client that is away for a while may come back with it.
        if (!isCode(error, "EL_UNAVAILABLE")) throw error;
      }
      if (isInPool && !wasInPool) {
        await onSent?.(hash);
        continue;
      }
      if (signal?.aborted) {
        const transactionHash = hash;
        throw new CodedError("INTERRUPTED", `Transaction ${hash} may be sent: nobody waits for it`, {
          transactionHash,
        });
      }
      if (clock.monotonicMs() >= deadlineMs) {
        throw new CodedError(
          "TRANSACTION_PENDING",
          `Transaction ${hash} is sent, but in no block after ${timeoutMs / 1000} s: does the chain make blocks? Wait longer with --timeout`,
          { transactionHash: hash },
        );
      }
      await sleep(clock, pollMs, signal);
    }
  }

  /** Of the newest, or of one whose nonce had been taken until the chain took that back. */
  async #receipt(): Promise<Receipt | null> {
    for (const { hash } of this.#signed.toReversed()) {
      const receipt = await this.#rpc.request("read", "eth_getTransactionReceipt", [hash], z.nullable(receiptSchema));
      if (receipt !== null) return receipt;
    }
    return null;
  }

  /** Sends again what the client does not know any more: a block that was taken back need not give all to the pool. */
  async #keepInPool(): Promise<Hex> {
    const newest = this.#signed.at(-1) as Signed;
    if (await this.#isKnown(newest)) return newest.hash;
    return (await this.#submit(newest)).hash;
  }

  /** The transaction that the client took: this one, or one signed anew where another has taken its nonce. */
  async #submit(first: Signed): Promise<Signed> {
    for (let signed = first; ; signed = await this.#sign()) {
      try {
        await this.#rpc.request("write", "eth_sendRawTransaction", [signed.raw], hashSchema);
        return signed;
      } catch (error) {
        // Clients word it each in their own way, so the facts decide: it is there already, or its nonce is gone.
        if (!isCode(error, "EL_REFUSED") && !isCode(error, "EL_UNAVAILABLE")) throw error;
        if (await this.#isKnown(signed)) return signed;
        if (isCode(error, "EL_UNAVAILABLE")) throw error;
        const isNonceTaken = (await this.#pendingNonce()) > signed.nonce;
        if (!isNonceTaken || this.#signed.length >= MAX_SIGNINGS) throw this.#refusal(error);
      }
    }
  }

  async #sign(): Promise<Signed> {
    const from = this.#account.address;
    const nonce = await this.#pendingNonce();
    const head = await this.#rpc.request("read", "eth_getBlockByNumber", ["latest", false], blockSchema);
    const estimate = await this.#rpc
      .request("read", "eth_estimateGas", [{ from, ...this.#call }], quantitySchema)
      .catch((error) => {
        throw isCode(error, "EL_REFUSED") ? this.#refusal(error) : error;
      });
    const raw = await this.#account.signTransaction({
      ...this.#call,
      type: "eip1559",
      chainId: this.#chainId,
      nonce,
      gas: estimate + MESSAGE_GAS_HEADROOM,
      // The base fee can double in six blocks.
      maxFeePerGas: head.baseFeePerGas * 2n + PRIORITY_FEE_WEI,
      maxPriorityFeePerGas: PRIORITY_FEE_WEI,
    });
    const signed = { raw, hash: keccak256(raw), nonce };
    this.#signed.push(signed);
    return signed;
  }

  async #isKnown({ hash }: Signed): Promise<boolean> {
    return (await this.#rpc.request("read", "eth_getTransactionByHash", [hash], transactionSchema)) !== null;
  }

  async #pendingNonce(): Promise<number> {
    const params = [this.#account.address, "pending"];
    return Number(await this.#rpc.request("read", "eth_getTransactionCount", params, quantitySchema));
  }

  /** Words a refusal for the person who sends. */
  #refusal(error: CodedError): CodedError {
    const { address } = this.#account;
    return new CodedError(
      "TRANSACTION_REFUSED",
      `The execution client refused the transaction: ${error.fields.reason}. Check that ${address} has ether for it`,
      { from: address, reason: error.fields.reason },
      error,
    );
  }
}

function isCode(error: unknown, code: string): error is CodedError {
  return error instanceof CodedError && error.code === code;
}
