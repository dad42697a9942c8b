import { MESSAGE_BUS_CONTRACT_TREE_DEPTH } from "./preset.ts";

/**
 * The type of an exit message: a 32-byte big-endian uint256.
 * @spec specs/message-bus/beacon-chain.md#constants
 */
export const TRIGGERED_EXIT_MESSAGE_TYPE = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0));

/** Messages that the contract's tree can hold; message indices stay below, and a count may reach it. */
export const MESSAGE_BUS_CAPACITY = 2n ** BigInt(MESSAGE_BUS_CONTRACT_TREE_DEPTH);

/** Siblings of a proof: one a tree level, and the count chunk. */
export const MESSAGE_BUS_PROOF_LENGTH = MESSAGE_BUS_CONTRACT_TREE_DEPTH + 1;

/** Bytes of a serialized `TriggeredExit`: proof, sender, index, pubkey. */
export const TRIGGERED_EXIT_SIZE_BYTES = MESSAGE_BUS_PROOF_LENGTH * 32 + 20 + 8 + 48;

/** Name of the fork in `ForkInfo`s and in topic schedules. */
export const MESSAGE_BUS_FORK_NAME = "message_bus";
