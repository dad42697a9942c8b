/** Forms the operation of one message from the execution client alone, for whoever runs no node. */
import { bytesToHex, type Hex } from "viem";
import { CodedError } from "../base/errors.ts";
import type { TriggeredExit } from "../spec/types.ts";
import { checkContract, leafOf } from "./contract.ts";
import { ContractReader } from "./contract_reader.ts";
import { formTriggeredExit, isExitMessage } from "./form.ts";
import type { JsonRpc } from "./json_rpc.ts";
import { MessageRanges } from "./message_ranges.ts";
import type { NumberedMessage } from "./message_source.ts";
import { MessageTree } from "./message_tree.ts";
import type { ExecutionBlock } from "./rpc_types.ts";

/** Which message: by its place in the tree, or by the transaction that sent it. */
export type MessageChoice = { readonly index: bigint } | { readonly transactionHash: Hex };

export interface ProveOptions {
  readonly contract: Hex;
  readonly choice: MessageChoice;
  /** Proven against the root that the contract had after this block; the head's by default. */
  readonly blockNumber?: number;
  /** No message is older than this block: the deployment's, or 0. */
  readonly fromBlock: number;
}

export interface Proven {
  readonly operation: TriggeredExit;
  readonly message: NumberedMessage;
  readonly blockNumber: number;
  readonly blockHash: Hex;
  /** Messages in the contract after that block. */
  readonly count: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/**
 * @throws CodedError `EL_UNAVAILABLE`, `EL_REFUSED`, `EL_UNKNOWN_BLOCK`, `NO_CONTRACT`, `NO_SUCH_BLOCK`,
 * `NO_SUCH_MESSAGE`, `SEVERAL_MESSAGES`, `NO_EXIT_MESSAGE`, `MESSAGE_ROOT_MISMATCH`.
 */
export async function proveExit(options: ProveOptions, rpc: JsonRpc): Promise<Proven> {
  const reader = new ContractReader(rpc, options.contract);
  const block = await chooseBlock(options.blockNumber, reader);
  const blockHash = bytesToHex(block.blockHash);
  await checkContract(rpc, options.contract, blockHash);
  const tree = new MessageTree();
  const chosen: NumberedMessage[] = [];
  const ranges = new MessageRanges(reader);
  for (let from = options.fromBlock; from <= block.blockNumber; ) {
    const { messages, to } = await ranges.read(from, block.blockNumber);
    for (const message of messages) {
      tree.append(leafOf(message));
      if (isChosen(message, options.choice)) chosen.push(message);
    }
    from = to + 1;
  }
  const root = await reader.getMessageRoot(block.blockHash);
  if (bytesToHex(tree.rootAt(tree.count)) !== bytesToHex(root)) {
    throw new CodedError(
      "MESSAGE_ROOT_MISMATCH",
      `The ${tree.count} messages from block ${options.fromBlock} on do not have the contract's root at block ${block.blockNumber}: give a --from-block at or before the contract's deployment, and a client that keeps all logs`,
      { blockNumber: block.blockNumber, count: tree.count },
    );
  }
  const message = theChosen(chosen, options.choice, block.blockNumber, tree.count);
  const operation = formTriggeredExit(message, tree.count, tree);
  return { operation, message, blockNumber: block.blockNumber, blockHash, count: tree.count, root };
}

async function chooseBlock(number: number | undefined, reader: ContractReader): Promise<ExecutionBlock> {
  const head = await reader.getHead();
  const block = number === undefined ? head : await reader.getBlockAt(number);
  if (block !== null) return block;
  throw new CodedError("NO_SUCH_BLOCK", `There is no block ${number} yet: the newest one is ${head.blockNumber}`, {
    blockNumber: number,
    headNumber: head.blockNumber,
  });
}

function isChosen(message: NumberedMessage, choice: MessageChoice): boolean {
  return "index" in choice
    ? message.index === choice.index
    : bytesToHex(message.transactionHash) === choice.transactionHash;
}

function theChosen(
  chosen: readonly NumberedMessage[],
  choice: MessageChoice,
  blockNumber: number,
  count: number,
): NumberedMessage {
  const wanted = "index" in choice ? `message ${choice.index}` : `a message of transaction ${choice.transactionHash}`;
  const [message, second] = chosen;
  if (message === undefined) {
    throw new CodedError(
      "NO_SUCH_MESSAGE",
      `The contract does not hold ${wanted}: it has ${count} messages, counted from 0, after block ${blockNumber}`,
      { blockNumber, count },
    );
  }
  if (second !== undefined) {
    const indices = chosen.map((each) => each.index).join(", ");
    throw new CodedError("SEVERAL_MESSAGES", `The transaction sent messages ${indices}: choose one with --index`, {
      indices,
    });
  }
  if (isExitMessage(message)) return message;
  throw new CodedError(
    "NO_EXIT_MESSAGE",
    `Message ${message.index} is of type ${message.messageType} with ${message.payload.length} bytes: an exit is of type 1 with the 48 bytes of a public key`,
    { index: String(message.index), messageType: String(message.messageType), sizeBytes: message.payload.length },
  );
}
