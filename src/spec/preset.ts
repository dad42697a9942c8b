/**
 * Preset values of the message-bus fork. `LODESTAR_PRESET` chooses at import (mainnet when unset), as for the
 * libraries below: one process, one preset.
 * @spec specs/message-bus/beacon-chain.md#preset
 */
import { ACTIVE_PRESET, PresetName } from "@lodestar/params";
import { CodedError } from "../base/errors.ts";

export type MessageBusPreset = {
  MESSAGE_BUS_CONTRACT_TREE_DEPTH: number;
  BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR: number;
  MAX_TRIGGERED_EXITS: number;
};

export const messageBusPresets: Partial<Record<PresetName, MessageBusPreset>> = {
  [PresetName.mainnet]: {
    MESSAGE_BUS_CONTRACT_TREE_DEPTH: 32,
    BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR: 8192,
    MAX_TRIGGERED_EXITS: 16,
  },
  [PresetName.minimal]: {
    MESSAGE_BUS_CONTRACT_TREE_DEPTH: 32,
    BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR: 64,
    MAX_TRIGGERED_EXITS: 16,
  },
};

function activePreset(): MessageBusPreset {
  const preset = messageBusPresets[ACTIVE_PRESET];
  if (preset === undefined) {
    throw new CodedError("UNKNOWN_PRESET", `The message bus has no preset "${ACTIVE_PRESET}": use mainnet or minimal`);
  }
  return preset;
}

export const { MESSAGE_BUS_CONTRACT_TREE_DEPTH, BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, MAX_TRIGGERED_EXITS } =
  activePreset();

/**
 * Payloads for which a stored root must still last to be spread by gossip.
 * @spec specs/message-bus/p2p-interface.md#constants
 */
export const GOSSIP_ROOT_MARGIN = Math.floor(BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR / 64);
