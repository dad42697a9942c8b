/** Reads the contract and the chain it stands on by plain JSON-RPC, as every execution client serves it. */
import { bytesToHex, type Hex } from "viem";
import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import type { MessageSent } from "../state/execution_engine.ts";
import {
  decodeMessageSent,
  GET_MESSAGE_COUNT_CALL,
  GET_MESSAGE_ROOT_CALL,
  MESSAGE_SENT_TOPIC,
  noContract,
} from "./contract.ts";
import type { JsonRpc } from "./json_rpc.ts";
import type { MessageSource, NumberedMessage } from "./message_source.ts";
import { blockSchema, dataSchema, type ExecutionBlock, logSchema } from "./rpc_types.ts";

/** What an account without code answers: the contract is deployed later, or elsewhere. */
const NO_ROOT = new Uint8Array(32);

/** Roots by block hash never change; the oldest is dropped. Importing a block asks for its root a few times. */
const MAX_CACHED_ROOTS = 256;

/** The JSON-RPC error of a call that the contract's code ended. */
const EXECUTION_REVERTED = 3;

export class ContractReader implements MessageSource {
  readonly #rpc: JsonRpc;
  readonly #contract: Hex;
  readonly #roots = new Map<Hex, Uint8Array>();

  constructor(rpc: JsonRpc, contract: Hex) {
    this.#rpc = rpc;
    this.#contract = contract;
  }

  /** All zeros where nothing is deployed yet. @throws CodedError `EL_UNAVAILABLE`, `EL_UNKNOWN_BLOCK`, `NO_CONTRACT`. */
  async getMessageRoot(blockHash: Uint8Array): Promise<Uint8Array> {
    const key = bytesToHex(blockHash);
    const cached = this.#roots.get(key);
    if (cached !== undefined) return cached;
    const answer = await this.#call(GET_MESSAGE_ROOT_CALL, key);
    const root = answer.length === 0 ? NO_ROOT : this.#word(answer, key);
    this.#roots.set(key, root);
    const oldest = this.#roots.keys().next();
    if (this.#roots.size > MAX_CACHED_ROOTS && !oldest.done) this.#roots.delete(oldest.value);
    return root;
  }

  /** @throws CodedError `EL_UNAVAILABLE`, `EL_UNKNOWN_BLOCK`, `NO_CONTRACT`. */
  async getMessageCount(blockHash: Uint8Array): Promise<bigint> {
    const key = bytesToHex(blockHash);
    return BigInt(bytesToHex(this.#word(await this.#call(GET_MESSAGE_COUNT_CALL, key), key)));
  }

  /** @throws CodedError `EL_UNAVAILABLE`, `EL_UNKNOWN_BLOCK`. */
  getMessages(blockHash: Uint8Array): Promise<NumberedMessage[]> {
    const hash = bytesToHex(blockHash);
    return this.#getLogs({ blockHash: hash }).catch(orUnknownBlock(hash));
  }

  /** @throws CodedError `EL_UNAVAILABLE`, `EL_REFUSED`. */
  getMessagesInRange(fromBlock: number, toBlock: number): Promise<NumberedMessage[]> {
    return this.#getLogs({ fromBlock: quantity(fromBlock), toBlock: quantity(toBlock) });
  }

  /** Null where the client does not have the block. @throws CodedError `EL_UNAVAILABLE`. */
  getBlock(hash: Uint8Array): Promise<ExecutionBlock | null> {
    return this.#rpc.request("read", "eth_getBlockByHash", [bytesToHex(hash), false], z.nullable(blockSchema));
  }

  /** The block of the client's own chain at a height. Null where it is not that high. @throws CodedError `EL_UNAVAILABLE`. */
  getBlockAt(number: number): Promise<ExecutionBlock | null> {
    return this.#rpc.request("read", "eth_getBlockByNumber", [quantity(number), false], z.nullable(blockSchema));
  }

  /** @throws CodedError `EL_UNAVAILABLE`. */
  getHead(): Promise<ExecutionBlock> {
    return this.#rpc.request("read", "eth_getBlockByNumber", ["latest", false], blockSchema);
  }

  async #call(data: Hex, blockHash: Hex): Promise<Uint8Array> {
    const call = [{ to: this.#contract, data }, { blockHash }];
    return this.#rpc.request("read", "eth_call", call, dataSchema).catch((error: unknown) => {
      if (error instanceof CodedError && error.fields.rpcCode === EXECUTION_REVERTED) {
        throw noContract(this.#contract, `its code reverts at block ${blockHash}`);
      }
      return orUnknownBlock(blockHash)(error);
    });
  }

  #word(answer: Uint8Array, blockHash: Hex): Uint8Array {
    if (answer.length !== 32) throw noContract(this.#contract, `it does not answer at block ${blockHash}`);
    return answer;
  }

  #getLogs(filter: { blockHash: Hex } | { fromBlock: Hex; toBlock: Hex }): Promise<NumberedMessage[]> {
    const query = { ...filter, address: this.#contract, topics: [MESSAGE_SENT_TOPIC] };
    return this.#rpc.request("read", "eth_getLogs", [query], z.array(messageLogSchema));
  }
}

const messageLogSchema = logSchema.transform((log, context): NumberedMessage => {
  const message: MessageSent | null = decodeMessageSent(log);
  if (message !== null) return { ...message, blockNumber: log.blockNumber, blockHash: log.blockHash };
  context.addIssue("is no MessageSent log");
  return z.NEVER;
});

function orUnknownBlock(blockHash: Hex): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CodedError) || error.code !== "EL_REFUSED") throw error;
    throw new CodedError(
      "EL_UNKNOWN_BLOCK",
      `The execution client does not serve block ${blockHash}: ${error.fields.reason}`,
      { blockHash },
      error,
    );
  };
}

function quantity(number: number): Hex {
  return `0x${number.toString(16)}`;
}
