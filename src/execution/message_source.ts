import type { MessageSent } from "../state/execution_engine.ts";

export interface NumberedMessage extends MessageSent {
  readonly blockNumber: number;
  /** 32 bytes. */
  readonly blockHash: Uint8Array;
}

/** Where messages are read; calls reject with a `CodedError` and are tried again. */
export interface MessageSource {
  /** Messages of one block, in order of index. */
  getMessages(blockHash: Uint8Array): Promise<MessageSent[]>;
  /** Messages of the client's own chain between two heights, both included, in order of index. */
  getMessagesInRange(fromBlock: number, toBlock: number): Promise<NumberedMessage[]>;
}
