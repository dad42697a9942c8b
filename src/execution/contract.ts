/** The message bus contract as programs use it: its calls and its log, deploying it, sending a message. */
import { encodeFunctionData, type Hex, hexToBytes, numberToHex, toEventSelector, toHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { CodedError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { getMessageLeaf } from "../spec/message_leaf.ts";
import type { MessageSent } from "../state/execution_engine.ts";
import { MESSAGE_BUS_BYTECODE, messageBusAbi } from "./contract_artifact.ts";
import { JsonRpc } from "./json_rpc.ts";
import { dataSchema, type ExecutionLog } from "./rpc_types.ts";
import { type SendDeps, transact } from "./transaction.ts";

/** Calldata of the contract's two reads. */
export const GET_MESSAGE_ROOT_CALL = encodeFunctionData({ abi: messageBusAbi, functionName: "getMessageRoot" });
export const GET_MESSAGE_COUNT_CALL = encodeFunctionData({ abi: messageBusAbi, functionName: "getMessageCount" });

/** First topic of the contract's log. */
export const MESSAGE_SENT_TOPIC = toEventSelector("MessageSent(uint256,address,uint64,bytes)");

const WORD_SIZE_BYTES = 32;

export interface DeployedContract {
  readonly address: Hex;
  readonly transactionHash: Hex;
  readonly blockNumber: number;
  readonly gasUsed: number;
}

export interface SentMessage {
  readonly transactionHash: Hex;
  readonly blockHash: Hex;
  readonly blockNumber: number;
  readonly index: bigint;
  /** 32 bytes. */
  readonly leaf: Uint8Array;
  readonly gasUsed: number;
}

/** A uint256 as the leaf holds it: 32 bytes, big-endian. */
function messageTypeBytes(messageType: bigint): Uint8Array {
  return hexToBytes(numberToHex(messageType, { size: 32 }));
}

/** The leaf of a logged message: 32 bytes. */
export function leafOf(message: Pick<MessageSent, "messageType" | "sender" | "payload">): Uint8Array {
  return getMessageLeaf(messageTypeBytes(message.messageType), message.sender, message.payload);
}

export function encodeSentMessage(messageType: bigint, payload: Uint8Array): Hex {
  return encodeFunctionData({ abi: messageBusAbi, functionName: "sentMessage", args: [messageType, toHex(payload)] });
}

/**
 * Reads one `MessageSent` log; null where the log is another event or malformed. By hand: a payload of 4.5 MB, as a block
 * can hold, took viem's decoder 1.2 s, in which the node would answer nobody.
 */
export function decodeMessageSent(log: ExecutionLog): MessageSent | null {
  const [topic, messageType, sender, index] = log.topics;
  if (topic === undefined || messageType === undefined || sender === undefined || index === undefined) return null;
  if (toHex(topic) !== MESSAGE_SENT_TOPIC) return null;
  const payload = decodeBytes(log.data);
  if (payload === null) return null;
  return {
    index: BigInt(toHex(index)),
    messageType: BigInt(toHex(messageType)),
    sender: sender.subarray(12),
    payload,
    transactionHash: log.transactionHash,
  };
}

/** The ABI encoding of `bytes` alone: where they begin, how many they are, and they. Null where it is not. */
function decodeBytes(data: Uint8Array): Uint8Array | null {
  if (data.length < 2 * WORD_SIZE_BYTES || BigInt(toHex(data.subarray(0, WORD_SIZE_BYTES))) !== 32n) return null;
  const size = BigInt(toHex(data.subarray(WORD_SIZE_BYTES, 2 * WORD_SIZE_BYTES)));
  const bytes = data.subarray(2 * WORD_SIZE_BYTES);
  return size <= BigInt(bytes.length) ? bytes.slice(0, Number(size)) : null;
}

/**
 * The account of a private key of 32 bytes.
 *
 * @throws CodedError `BAD_KEY`: zero, or not below the order of the curve.
 */
export function accountFromKey(privateKey: Hex): PrivateKeyAccount {
  try {
    return privateKeyToAccount(privateKey);
  } catch {
    // The cause would repeat the key.
    throw new CodedError(
      "BAD_KEY",
      "The private key is not one: it must be 32 bytes of hex, above zero and below the order of secp256k1",
    );
  }
}

/**
 * Deploys the contract and waits for its block.
 *
 * @throws CodedError `EL_UNAVAILABLE`, `BAD_KEY`, `WRONG_CHAIN`, `TRANSACTION_REFUSED`, `TRANSACTION_REVERTED`,
 * `TRANSACTION_PENDING`.
 */
export async function deployMessageBus(elUrl: string, privateKey: Hex, deps: SendDeps): Promise<DeployedContract> {
  const rpc = new JsonRpc({ url: elUrl }, { clock: deps.clock, log: silentLogger });
  const receipt = await transact(rpc, accountFromKey(privateKey), { data: MESSAGE_BUS_BYTECODE }, deps);
  if (receipt.contractAddress === null) {
    throw new CodedError("TRANSACTION_REVERTED", "The deployment made no contract: is this an Ethereum client?");
  }
  return {
    address: toHex(receipt.contractAddress),
    transactionHash: toHex(receipt.transactionHash),
    blockNumber: receipt.blockNumber,
    gasUsed: receipt.gasUsed,
  };
}

/**
 * Sends a message and waits for its block.
 *
 * @throws CodedError as `deployMessageBus`, and `NO_CONTRACT`.
 */
export async function sendMessage(
  elUrl: string,
  privateKey: Hex,
  contract: Hex,
  message: Pick<MessageSent, "messageType" | "payload">,
  deps: SendDeps,
): Promise<SentMessage> {
  const rpc = new JsonRpc({ url: elUrl }, { clock: deps.clock, log: silentLogger });
  const account = accountFromKey(privateKey);
  await checkContract(rpc, contract, "latest");
  const data = encodeSentMessage(message.messageType, message.payload);
  const receipt = await transact(rpc, account, { to: contract, data }, deps);
  const log = receipt.logs.find((candidate) => toHex(candidate.address) === contract.toLowerCase());
  const sent = log === undefined ? null : decodeMessageSent(log);
  if (sent === null) throw noContract(contract, "the transaction left no MessageSent log");
  return {
    transactionHash: toHex(receipt.transactionHash),
    blockHash: toHex(receipt.blockHash),
    blockNumber: receipt.blockNumber,
    index: sent.index,
    leaf: leafOf(sent),
    gasUsed: receipt.gasUsed,
  };
}

/**
 * Makes sure that a message bus answers at the address.
 *
 * @throws CodedError `NO_CONTRACT`.
 */
export async function checkContract(rpc: JsonRpc, contract: Hex, block: Hex | "latest"): Promise<void> {
  const code = await rpc.request("read", "eth_getCode", [contract, block], dataSchema);
  if (code.length === 0) throw noContract(contract, "there is no code");
  const call = [{ to: contract, data: GET_MESSAGE_ROOT_CALL }, block];
  const root = await rpc.request("read", "eth_call", call, dataSchema).catch((error) => {
    if (error instanceof CodedError && error.code === "EL_REFUSED") return null;
    throw error;
  });
  if (root?.length !== 32) throw noContract(contract, "it does not answer getMessageRoot()");
}

export function noContract(contract: Hex, what: string): CodedError {
  return new CodedError(
    "NO_CONTRACT",
    `No message bus at ${contract}: ${what}. Take the address from the network's config.yaml, and the execution client of that network`,
    { contract },
  );
}
