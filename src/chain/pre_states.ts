import type { CachedState } from "../state/beacon_state.ts";
import { processSlots } from "../state/transition.ts";
import type { RootHex } from "./root_hex.ts";

/** States advanced to a block's slot by gossip validation, for its import; a state more is dropped and made again. */
const MAX_PRE_STATES = 4;

/** By the block's parent and slot. */
export class PreStates {
  private readonly states = new Map<string, CachedState>();

  /** The parent's post state advanced to the slot. */
  make(parentRoot: RootHex, parentState: CachedState, slot: number): CachedState {
    const key = keyOf(parentRoot, slot);
    const state = this.states.get(key) ?? processSlots(parentState, slot);
    this.states.set(key, state);
    for (const oldest of this.states.keys()) {
      if (this.states.size <= MAX_PRE_STATES) break;
      this.states.delete(oldest);
    }
    return state;
  }

  take(parentRoot: RootHex, slot: number): CachedState | null {
    const key = keyOf(parentRoot, slot);
    const state = this.states.get(key) ?? null;
    this.states.delete(key);
    return state;
  }

  clear(): void {
    this.states.clear();
  }
}

function keyOf(parentRoot: RootHex, slot: number): string {
  return `${parentRoot}:${slot}`;
}
