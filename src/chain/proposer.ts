import { SLOTS_PER_EPOCH } from "@lodestar/params";
import type { CachedState } from "../state/beacon_state.ts";

/**
 * Who proposes in a slot on top of a state, without advancing it: the lookahead holds the state's epoch and the next.
 * Null beyond.
 * @spec fulu/beacon-chain.md#modified-get_beacon_proposer_index
 */
export function proposerFromLookahead(state: CachedState, slot: number): number | null {
  const ahead = slot - (state.slot - (state.slot % SLOTS_PER_EPOCH));
  return ahead >= 0 && ahead < state.proposerLookahead.length ? state.proposerLookahead.get(ahead) : null;
}
