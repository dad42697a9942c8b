/** The views that a target is known, or believed, to judge on. */
import { readFile } from "node:fs/promises";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { type CachedState, loadState } from "../../state/beacon_state.ts";
import { readNetworkDir } from "../../state/network_dir.ts";
import { createStateView } from "../../state/view.ts";
import { decompressSnappyBlock } from "../../validation/snappy_block.ts";
import type { TriggeredExitContext } from "../../validation/triggered_exit.ts";

export interface ViewFiles {
  readonly networkDir: string;
  /** SSZ, or ssz_snappy by its name; null: the network's genesis. */
  readonly stateFile: string | null;
  /** Null: the head's state. */
  readonly finalizedStateFile: string | null;
  /** Whether the target stands on just these, so that what is not valid there must not be forwarded. */
  readonly areExact: boolean;
}

export interface Views {
  readonly head: CachedState;
  readonly areExact: boolean;
  readonly context: Omit<TriggeredExitContext, "seen">;
}

/** @throws CodedError of `readNetworkDir` and `loadState`, and `STATE_UNREADABLE`. */
export async function readViews({ networkDir, stateFile, finalizedStateFile, areExact }: ViewFiles): Promise<Views> {
  const { config, genesisState } = await readNetworkDir(networkDir);
  const head = stateFile === null ? genesisState : loadState(config, await readStateBytes(stateFile));
  const finalized = finalizedStateFile === null ? head : loadState(config, await readStateBytes(finalizedStateFile));
  return {
    head,
    areExact,
    context: {
      head: createStateView(head),
      finalized: createStateView(finalized),
      clockEpoch: Math.floor(head.slot / SLOTS_PER_EPOCH),
      shardCommitteePeriodEpochs: config.SHARD_COMMITTEE_PERIOD,
      synced: true,
      contract: null,
    },
  };
}

async function readStateBytes(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array | null;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new CodedError("STATE_UNREADABLE", `Cannot read ${file}: ${errorMessage(error)}`, { file }, error);
  }
  if (file.endsWith("_snappy")) bytes = decompressSnappyBlock(bytes);
  if (bytes === null) throw new CodedError("STATE_UNREADABLE", `${file} is no snappy block`, { file });
  return bytes;
}
