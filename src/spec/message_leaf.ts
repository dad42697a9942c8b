import { hash } from "node:crypto";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "./constants.ts";

/**
 * The contract's leaf of one message: sha256(messageType ‖ sender ‖ payload).
 *
 * @param messageType 32 bytes, the uint256 big-endian.
 * @param sender 20 bytes, the contract's `msg.sender`.
 * @param payload any length, also none.
 * @returns 32 bytes.
 * @spec specs/message-bus/beacon-chain.md#get_message_leaf
 */
export function getMessageLeaf(messageType: Uint8Array, sender: Uint8Array, payload: Uint8Array): Uint8Array {
  // Native: as fast as noble's JavaScript once that is compiled, and 13 times as fast for the first fifty of a flood.
  const message = new Uint8Array(messageType.length + sender.length + payload.length);
  message.set(messageType);
  message.set(sender, messageType.length);
  message.set(payload, messageType.length + sender.length);
  return new Uint8Array(hash("sha256", message, "buffer"));
}

/**
 * The leaf of the message that a triggered exit carries.
 *
 * @param sender 20 bytes.
 * @param pubkey 48 bytes: the message's whole payload.
 * @spec specs/message-bus/beacon-chain.md#get_triggered_exit_leaf
 */
export function getTriggeredExitLeaf(sender: Uint8Array, pubkey: Uint8Array): Uint8Array {
  return getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, pubkey);
}
