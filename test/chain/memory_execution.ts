/**
 * Execution clients in memory: one world of blocks that all of them may know, branches included, and a mempool of
 * messages that every branch takes up once. A second implementation of the engine's interface, for forks.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { CodedError } from "../../src/base/errors.ts";
import { formTriggeredExit } from "../../src/execution/form.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import { ExecutionPayload, type TriggeredExit } from "../../src/spec/types.ts";
import type {
  BuiltPayload,
  ExecutionEngine,
  MessageSent,
  PayloadAttributes,
  PayloadVerdict,
} from "../../src/state/execution_engine.ts";

interface Message {
  readonly sender: Uint8Array;
  readonly payload: Uint8Array;
}

interface Block {
  readonly payload: ExecutionPayload;
  readonly parent: Block | null;
  /** All messages of the branch up to this block. */
  readonly messages: readonly Message[];
}

export class ExecutionWorld {
  readonly blocks = new Map<string, Block>();
  private readonly mempool: Message[] = [];
  readonly genesisPayload: ExecutionPayload;

  constructor() {
    this.genesisPayload = {
      ...ExecutionPayload.defaultValue(),
      blockHash: sha256(Buffer.from("execution genesis")),
      blockNumber: 1,
      gasLimit: 30_000_000,
    };
    this.blocks.set(hex(this.genesisPayload.blockHash), { payload: this.genesisPayload, parent: null, messages: [] });
  }

  /** An exit message, in the next block of each branch. */
  sendExit(sender: Uint8Array, pubkey: Uint8Array): void {
    this.mempool.push({ sender, payload: pubkey });
  }

  /** As anvil, when somebody takes a block back. */
  forget(blockHash: Uint8Array): void {
    this.blocks.delete(hex(blockHash));
  }

  build(parentHash: Uint8Array, attributes: PayloadAttributes): BuiltPayload {
    const parent = this.blocks.get(hex(parentHash));
    if (parent === undefined) throw new CodedError("PARENT_NOT_FOUND", "The execution client does not know the parent");
    const messages = [...this.mempool];
    const tree = treeOf(messages);
    const payload: ExecutionPayload = {
      ...ExecutionPayload.defaultValue(),
      parentHash,
      feeRecipient: attributes.suggestedFeeRecipient,
      prevRandao: attributes.prevRandao,
      blockNumber: parent.payload.blockNumber + 1,
      gasLimit: parent.payload.gasLimit,
      timestamp: attributes.timestamp,
      withdrawals: attributes.withdrawals,
      messageBusRoot: messages.length === 0 ? new Uint8Array(32) : tree.rootAt(tree.count),
    };
    payload.blockHash = sha256(
      Buffer.concat([ExecutionPayload.hashTreeRoot(payload), attributes.parentBeaconBlockRoot]),
    );
    this.blocks.set(hex(payload.blockHash), { payload, parent, messages });
    return { payload, executionRequests: { deposits: [], withdrawals: [], consolidations: [] } };
  }

  /** The operation of message `index`, proven against the root at that block. */
  form(blockHash: Uint8Array, index: number): TriggeredExit {
    const { messages } = this.blockOf(blockHash);
    const { sender, payload } = messages[index] as Message;
    return formTriggeredExit({ index: BigInt(index), sender, payload }, messages.length, treeOf(messages));
  }

  blockOf(blockHash: Uint8Array): Block {
    const block = this.blocks.get(hex(blockHash));
    if (block === undefined) throw new CodedError("UNKNOWN_BLOCK", "The execution client does not know the block");
    return block;
  }
}

/** One node's client of the world. */
export class MemoryEngine implements ExecutionEngine {
  private readonly world: ExecutionWorld;
  /** Cannot be asked: every call throws `EL_UNAVAILABLE`. */
  away = false;
  /** Answers SYNCING about payloads. */
  syncing = false;
  /** Builds nothing, as anvil while others' blocks are too young to be taken back. */
  declinesToBuild = false;
  finalizedHash: Uint8Array | null = null;
  headHash: Uint8Array | null = null;

  constructor(world: ExecutionWorld) {
    this.world = world;
  }

  async buildPayload(parentHash: Uint8Array, attributes: PayloadAttributes): Promise<BuiltPayload> {
    this.assertHere();
    if (this.declinesToBuild) throw new CodedError("BUILD_CONTESTED", "Not now");
    return this.world.build(parentHash, attributes);
  }

  async notifyNewPayload(payload: ExecutionPayload): Promise<PayloadVerdict> {
    this.assertHere();
    const known = this.world.blocks.get(hex(payload.blockHash));
    if (this.syncing || known === undefined) return { status: "SYNCING", reason: "unknown block" };
    const isSame = ExecutionPayload.equals(known.payload, payload);
    return isSame ? { status: "VALID", reason: "" } : { status: "INVALID", reason: "not the block of that hash" };
  }

  async notifyForkchoiceUpdated(headHash: Uint8Array, _safe: Uint8Array, finalizedHash: Uint8Array): Promise<void> {
    this.assertHere();
    this.headHash = headHash;
    this.finalizedHash = finalizedHash;
  }

  async getMessageRoot(blockHash: Uint8Array): Promise<Uint8Array> {
    this.assertHere();
    return this.world.blockOf(blockHash).payload.messageBusRoot;
  }

  async getMessageCount(blockHash: Uint8Array): Promise<bigint> {
    this.assertHere();
    return BigInt(this.world.blockOf(blockHash).messages.length);
  }

  async getMessages(blockHash: Uint8Array): Promise<MessageSent[]> {
    this.assertHere();
    const { messages, parent } = this.world.blockOf(blockHash);
    return messages.slice(parent?.messages.length ?? 0).map((message, i) => ({
      ...message,
      index: BigInt((parent?.messages.length ?? 0) + i),
      messageType: 1n,
      transactionHash: new Uint8Array(32),
    }));
  }

  private assertHere(): void {
    if (this.away) throw new CodedError("EL_UNAVAILABLE", "The execution client is away");
  }
}

function treeOf(messages: readonly Message[]): MessageTree {
  const tree = new MessageTree();
  for (const { payload, sender } of messages) tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, payload));
  return tree;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
