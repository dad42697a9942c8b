/** Makes the consensus layer's operation of a message that the contract holds. */
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../spec/constants.ts";
import { type TriggeredExit, TriggeredExitData } from "../spec/types.ts";
import type { MessageSent } from "../state/execution_engine.ts";
import type { MessageTree } from "./message_tree.ts";

/** The exit message's type as the contract's uint256. */
export const TRIGGERED_EXIT_TYPE = BigInt(`0x${Buffer.from(TRIGGERED_EXIT_MESSAGE_TYPE).toString("hex")}`);

/**
 * Whether the message asks for an exit: its type, and a payload that is exactly one public key.
 * @spec specs/message-bus/validator.md#is_triggered_exit_message
 */
export function isExitMessage(message: Pick<MessageSent, "messageType" | "payload">): boolean {
  return message.messageType === TRIGGERED_EXIT_TYPE && message.payload.length === TriggeredExitData.fixedSize;
}

/**
 * The operation of one exit message, proven against the root that the contract had at `count` messages. The same
 * arguments give the same bytes on every node.
 *
 * @param tree holds at least `count` messages, the exit message at its index among them (`RangeError` otherwise).
 * @spec specs/message-bus/validator.md#get_triggered_exit
 */
export function formTriggeredExit(
  message: Pick<MessageSent, "index" | "sender" | "payload">,
  count: number,
  tree: MessageTree,
): TriggeredExit {
  return {
    messageBusSignal: {
      proof: tree.proofFor(Number(message.index), count),
      messageSender: message.sender,
      messageIndex: message.index,
    },
    data: { pubkey: message.payload },
  };
}
