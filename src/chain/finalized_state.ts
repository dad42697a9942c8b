/** The finalized state on disk, from which a restarted node goes on. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type CachedState, loadState } from "../state/beacon_state.ts";
import { processSlots } from "../state/transition.ts";
import type { Chain } from "./chain.ts";

/**
 * Null when there is none yet. Throws what `loadState` throws, `UNREADABLE_STATE`, or `OTHER_NETWORK` for a state of
 * another genesis.
 */
export async function loadFinalizedState(genesisState: CachedState, path: string): Promise<CachedState | null> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new CodedError("UNREADABLE_STATE", `Cannot read ${path}: ${errorMessage(error)}`, { path }, error);
  }
  const state = loadState(genesisState.config, bytes);
  // Test networks with the same keys differ in nothing but the time.
  const isOurs =
    state.genesisTime === genesisState.genesisTime &&
    Buffer.compare(state.genesisValidatorsRoot, genesisState.genesisValidatorsRoot) === 0;
  if (!isOurs) {
    throw new CodedError(
      "OTHER_NETWORK",
      `${path} is a state of another network: give another --data-dir, or remove this one`,
      { path },
    );
  }
  return state;
}

/**
 * Writes the state of each finalized checkpoint, whole or not at all; one that comes while another is being written
 * waits, and the newest wins. Returns what ends it: resolves when nothing is being written any more.
 */
export function saveFinalizedStates(chain: Chain, path: string, logger: Logger): () => Promise<void> {
  let writing: Promise<void> | null = null;
  let next: CachedState | null = null;
  const write = async () => {
    try {
      while (next !== null) {
        const state = next;
        next = null;
        await writeFile(`${path}.next`, state.serialize(), { flush: true });
        await rename(`${path}.next`, path);
      }
    } catch (error) {
      logger.error({ path, error: errorMessage(error) }, "Finalized state not written");
    } finally {
      // In the step that found nothing more to write: a state that comes a moment later begins anew.
      writing = null;
    }
  };
  const onFinalized = ({ epoch }: { epoch: number }) => {
    const state = chain.getState("finalized");
    if (state === null) return;
    // At the epoch's first slot, so that the state tells its checkpoint's epoch also after empty slots.
    next = processSlots(state, Math.max(state.slot, epoch * SLOTS_PER_EPOCH));
    writing ??= write();
  };
  chain.events.on("finalized", onFinalized);
  return async () => {
    chain.events.off("finalized", onFinalized);
    await writing;
  };
}
