/**
 * The execution engine on anvil. Anvil has no Engine API and one chain, whose head is what was mined last, so:
 * - building mines a block, after taking back the blocks that follow the parent (their transactions are sent again);
 * - `prevRandao` and `withdrawals` of a payload are the consensus layer's own: anvil can be told neither, and its block
 *   has neither, so they are not compared; `parentBeaconBlockRoot` likewise;
 * - a block that was taken back is unknown ever after, so its payload is SYNCING for whoever has not verified it yet.
 *
 * Several nodes share one anvil. Each call looks again at what it did, and no block younger than
 * `contestSeconds` is taken back: its consensus block may still be under way to the node that is about to build. Who wants
 * to take back several blocks waits as much longer: where they became, others build, and it is cut off from them.
 */
import { bytesToHex, type Hex, keccak256 } from "viem";
import { z } from "zod";
import { isZero } from "../base/bytes.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { ExecutionPayload } from "../spec/types.ts";
import type {
  BuiltPayload,
  ExecutionEngine,
  MessageSent,
  PayloadAttributes,
  PayloadVerdict,
} from "../state/execution_engine.ts";
import { ContractReader } from "./contract_reader.ts";
import { JsonRpc, type JsonRpcDeps, type JsonRpcOptions } from "./json_rpc.ts";
import type { MessageSource, NumberedMessage } from "./message_source.ts";
import { blockSchema, dataSchema, type ExecutionBlock } from "./rpc_types.ts";

/** Deepest reorg of the execution chain that a build makes; anvil keeps more states than that in memory. */
const MAX_ROLLBACK_BLOCKS = 256;

/**
 * Blocks for each of which taking back waits once more. A network whose nodes all begin again at their finalized block waits
 * for this many times `contestSeconds`, 16 s at two-second slots, before it takes back what it has lost; a node that is cut off
 * with a quarter of the validators takes back others' blocks only after 8 slots that are all its own, 1 in 65,000.
 */
const MAX_CONTEST_FACTOR = 4;

/** Other nodes may mine between our look at the head and our own block; more often than this is not chance. */
const MAX_BUILD_ATTEMPTS = 3;

/** Requests in flight while the transactions of a block are read. */
const TRANSACTION_READS_AT_ONCE = 16;

const NO_HASH = new Uint8Array(32);

export interface AnvilEngineOptions extends JsonRpcOptions {
  /** Address of the message bus. */
  readonly contract: Hex;
  /**
   * Age below which a block is never taken back, against the timestamp of the block to build: about two slots. For several
   * blocks it is that many times as long.
   */
  readonly contestSeconds: number;
}

export class AnvilEngine implements ExecutionEngine, MessageSource {
  readonly #rpc: JsonRpc;
  readonly #options: AnvilEngineOptions;
  readonly #deps: JsonRpcDeps;
  readonly #reader: ContractReader;
  /** As told last: once, not with every block. */
  #isContractMissing = false;

  constructor(options: AnvilEngineOptions, deps: JsonRpcDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#rpc = new JsonRpc(options, deps);
    this.#reader = new ContractReader(this.#rpc, options.contract);
  }

  /** Whether the last call got a sensible answer. */
  get isAvailable(): boolean {
    return this.#rpc.isAvailable;
  }

  /**
   * @throws CodedError `PARENT_NOT_FOUND`: anvil has never had the parent, or somebody took it back.
   * @throws CodedError `PARENT_TOO_DEEP`: it is too far below anvil's head.
   * @throws CodedError `BUILD_CONTESTED`: blocks on the parent are too young to be taken back, or others keep mining.
   * @throws CodedError `EL_REFUSED`: the timestamp is before the parent's.
   * @throws CodedError `EL_UNKNOWN_BLOCK`: another node took the block back before it was read.
   * @throws CodedError `EL_UNAVAILABLE`, `NO_CONTRACT`.
   */
  async buildPayload(parentHash: Uint8Array, attributes: PayloadAttributes): Promise<BuiltPayload> {
    const parent = await this.#reader.getBlock(parentHash);
    if (parent === null) throw refused("PARENT_NOT_FOUND", parentHash, "the execution client does not know it");
    await this.#write("anvil_setCoinbase", [bytesToHex(attributes.suggestedFeeRecipient)]);
    for (let attempt = 0; attempt < MAX_BUILD_ATTEMPTS; attempt++) {
      await this.#makeHead(parent, attributes.timestamp);
      const block = await this.#mine(attributes.timestamp);
      if (bytesToHex(block.parentHash) === bytesToHex(parentHash)) {
        return {
          payload: await this.#toPayload(block, attributes),
          executionRequests: { deposits: [], withdrawals: [], consolidations: [] },
        };
      }
      await this.#takeBackOwn(block);
    }
    throw contested(parentHash, "others mined in between");
  }

  async notifyNewPayload(payload: ExecutionPayload): Promise<PayloadVerdict> {
    try {
      const block = await this.#reader.getBlock(payload.blockHash);
      if (block === null) return { status: "SYNCING", reason: "the execution client does not know the block" };
      const difference = firstDifference(payload, block);
      if (difference !== null) return { status: "INVALID", reason: `${difference} is not the execution block's` };
      const root = await this.#getRoot(payload.blockHash);
      if (bytesToHex(root) !== bytesToHex(payload.messageBusRoot)) {
        return { status: "INVALID", reason: "messageBusRoot is not the contract's at this block" };
      }
      return { status: "VALID", reason: "" };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { status: "SYNCING", reason: error.message };
    }
  }

  /** Nothing to tell: anvil's head moves by building alone. */
  async notifyForkchoiceUpdated(): Promise<void> {}

  getMessageRoot(blockHash: Uint8Array): Promise<Uint8Array> {
    return this.#reader.getMessageRoot(blockHash);
  }

  getMessageCount(blockHash: Uint8Array): Promise<bigint> {
    return this.#reader.getMessageCount(blockHash);
  }

  getMessages(blockHash: Uint8Array): Promise<MessageSent[]> {
    return this.#reader.getMessages(blockHash);
  }

  getMessagesInRange(fromBlock: number, toBlock: number): Promise<NumberedMessage[]> {
    return this.#reader.getMessagesInRange(fromBlock, toBlock);
  }

  /**
   * The payload of a block that is there already, such as the one that genesis stands on; no RANDAO, no withdrawals.
   *
   * @throws CodedError `EL_UNAVAILABLE`, `NO_CONTRACT`.
   */
  async getHeadPayload(): Promise<ExecutionPayload> {
    const block = await this.#reader.getHead();
    return this.#toPayload(block, { prevRandao: new Uint8Array(32), withdrawals: [] });
  }

  async #getRoot(blockHash: Uint8Array): Promise<Uint8Array> {
    const root = await this.#reader.getMessageRoot(blockHash);
    const isMissing = isZero(root);
    if (isMissing && !this.#isContractMissing) {
      const { contract } = this.#options;
      this.#deps.log.warn({ contract }, "no message bus at its address: until there is, payloads have no root");
    }
    this.#isContractMissing = isMissing;
    return root;
  }

  async #toPayload(
    { transactionHashes, ...block }: ExecutionBlock,
    { prevRandao, withdrawals }: Pick<PayloadAttributes, "prevRandao" | "withdrawals">,
  ): Promise<ExecutionPayload> {
    const [transactions, messageBusRoot] = await Promise.all([
      this.#getRawTransactions(transactionHashes),
      this.#getRoot(block.blockHash),
    ]);
    return { ...block, prevRandao, withdrawals, transactions, messageBusRoot };
  }

  /** Takes blocks back until `parent` is the head. What is taken back goes to the pool again. */
  async #makeHead(parent: ExecutionBlock, timestamp: number): Promise<void> {
    const head = await this.#reader.getHead();
    const depth = head.blockNumber - parent.blockNumber;
    if (bytesToHex(head.blockHash) === bytesToHex(parent.blockHash)) return;
    if (depth > MAX_ROLLBACK_BLOCKS) throw refused("PARENT_TOO_DEEP", parent.blockHash, `it is ${depth} blocks deep`);
    const contestedUntil = head.timestamp + this.#options.contestSeconds * Math.min(depth, MAX_CONTEST_FACTOR);
    if (depth < 1 || timestamp < contestedUntil) {
      throw contested(parent.blockHash, `block ${head.blockNumber} is on it since ${head.timestamp}`);
    }
    const transactions: Uint8Array[] = [];
    for (let number = parent.blockNumber; number <= head.blockNumber; number++) {
      const block = await this.#reader.getBlockAt(number);
      const isParent = bytesToHex(block?.blockHash ?? NO_HASH) === bytesToHex(parent.blockHash);
      // Somebody else is taking blocks back.
      if (block === null || isParent !== (number === parent.blockNumber)) {
        throw contested(parent.blockHash, "the chain is moving");
      }
      if (!isParent) transactions.push(...(await this.#getRawTransactions(block.transactionHashes)));
    }
    await this.#takeBack(depth, transactions);
  }

  /** Our block stands on somebody else's: it goes, so that nothing stays which no payload names. */
  async #takeBackOwn(block: ExecutionBlock): Promise<void> {
    const transactions = await this.#getRawTransactions(block.transactionHashes);
    const head = await this.#reader.getHead();
    if (bytesToHex(head.blockHash) === bytesToHex(block.blockHash)) await this.#takeBack(1, transactions);
  }

  async #takeBack(depth: number, transactions: Uint8Array[]): Promise<void> {
    await this.#write("anvil_rollback", [depth]);
    this.#deps.log.info({ depth, transactions: transactions.length }, "took execution blocks back to build on another");
    for (const transaction of transactions) {
      try {
        await this.#write("eth_sendRawTransaction", [bytesToHex(transaction)]);
      } catch (error) {
        // Most likely its nonce was used meanwhile; whoever sent it must look anyway.
        this.#deps.log.warn({ reason: errorMessage(error) }, "a transaction of a block taken back was not taken again");
      }
    }
  }

  /** Mines what is pending; the answer names the very block, whatever others mine meanwhile. */
  async #mine(timestamp: number): Promise<ExecutionBlock> {
    const [block] = await this.#rpc.request("write", "evm_mine_detailed", [{ timestamp }], z.tuple([blockSchema]));
    return block;
  }

  async #getRawTransactions(hashes: Uint8Array[]): Promise<Uint8Array[]> {
    const transactions: Uint8Array[] = [];
    for (let start = 0; start < hashes.length; start += TRANSACTION_READS_AT_ONCE) {
      const reads = hashes
        .slice(start, start + TRANSACTION_READS_AT_ONCE)
        .map((hash) => this.#getRawTransaction(bytesToHex(hash)));
      transactions.push(...(await Promise.all(reads)));
    }
    return transactions;
  }

  async #getRawTransaction(hash: Hex): Promise<Uint8Array> {
    const raw = await this.#rpc.request("read", "eth_getRawTransactionByHash", [hash], z.nullable(dataSchema));
    if (raw !== null) return raw;
    throw new CodedError("EL_UNKNOWN_BLOCK", `Transaction ${hash} is gone: its block was taken back`, { hash });
  }

  async #write(method: string, params: unknown[]): Promise<void> {
    await this.#rpc.request("write", method, params, z.unknown());
  }
}

/** Fields of a payload that anvil's block does not have, and those that are compared otherwise. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["prevRandao", "withdrawals", "transactions", "messageBusRoot"]);

/** The first field in which the payload is not the block. */
function firstDifference(payload: ExecutionPayload, block: ExecutionBlock): string | null {
  const blockFields: Record<string, unknown> = block;
  const payloadFields: Record<string, unknown> = payload;
  for (const [name, type] of Object.entries(ExecutionPayload.fields)) {
    const equal = type.equals as (a: unknown, b: unknown) => boolean;
    if (!NOT_COMPARED.has(name) && !equal.call(type, payloadFields[name], blockFields[name])) return name;
  }
  if (payload.transactions.length !== block.transactionHashes.length) return "transactions";
  const same = payload.transactions.every(
    (transaction, i) => keccak256(transaction) === bytesToHex(block.transactionHashes[i] ?? new Uint8Array()),
  );
  return same ? null : "transactions";
}

function refused(code: string, parentHash: Uint8Array, why: string): CodedError {
  const hash = bytesToHex(parentHash);
  return new CodedError(code, `Cannot build on execution block ${hash}: ${why}`, { parentHash: hash });
}

function contested(parentHash: Uint8Array, why: string): CodedError {
  const hash = bytesToHex(parentHash);
  return new CodedError("BUILD_CONTESTED", `Will not build on execution block ${hash} now: ${why}`, {
    parentHash: hash,
  });
}
