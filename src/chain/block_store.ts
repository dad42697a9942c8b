/** Blocks from the finalized one on, with their post states, or what it takes to make those again. */
import { CodedError } from "../base/errors.ts";
import type { CachedState } from "../state/beacon_state.ts";
import { stateTransition } from "../state/transition.ts";
import type { ChainBlock } from "./block.ts";
import type { RootHex } from "./root_hex.ts";

/**
 * States kept ready, beside the finalized one. They share most of their trees: 30 kB a block and state with 64
 * validators. 96 are three mainnet epochs, which is what usually stands unfinalized.
 */
const MAX_STATES = 96;

/** Blocks replayed to make a state again, at about 1 ms each (stock transition without signatures, up to 1,024 validators); a request beyond is refused. */
const MAX_REPLAYED_BLOCKS = 1024;

export class BlockStore {
  private readonly blocks = new Map<RootHex, ChainBlock>();
  /** In order of last use. */
  private readonly states = new Map<RootHex, CachedState>();
  private finalizedState: CachedState;
  private finalizedRoot: RootHex;

  constructor(anchor: ChainBlock, state: CachedState) {
    this.blocks.set(anchor.root, anchor);
    this.finalizedRoot = anchor.root;
    this.finalizedState = state;
  }

  has(root: RootHex): boolean {
    return this.blocks.has(root);
  }

  getBlock(root: RootHex): ChainBlock | null {
    return this.blocks.get(root) ?? null;
  }

  put(block: ChainBlock, postState: CachedState): void {
    this.blocks.set(block.root, block);
    this.keep(block.root, postState);
  }

  /**
   * The block's post state; not to be written to, but cloned. Throws `UNKNOWN_BLOCK`, or `STATE_UNAVAILABLE` when too
   * many blocks would have to be replayed.
   */
  getState(root: RootHex): CachedState {
    const known = this.lookUp(root);
    if (known !== null) return known;
    const missing: ChainBlock[] = [];
    let state: CachedState | null = null;
    for (let at = root; state === null; ) {
      const block = this.blocks.get(at);
      if (block === undefined) throw new CodedError("UNKNOWN_BLOCK", "The block is not known", { root: at });
      missing.push(block);
      if (missing.length > MAX_REPLAYED_BLOCKS) {
        throw new CodedError("STATE_UNAVAILABLE", "The block's state is too far from any that is kept", { root });
      }
      at = block.parentRoot;
      state = this.lookUp(at);
    }
    for (const block of missing.reverse()) {
      if (block.signedBlock === null) throw new CodedError("UNKNOWN_BLOCK", "The block is not known", { root });
      state = stateTransition(state, block.signedBlock, {
        verifyProposer: false,
        verifySignatures: false,
        verifyStateRoot: false,
        payloadStatus: "VALID",
      });
    }
    this.keep(root, state);
    return state;
  }

  /** The same, null instead of a throw: for what strangers make us ask. */
  findState(root: RootHex): CachedState | null {
    try {
      return this.getState(root);
    } catch (error) {
      if (error instanceof CodedError) return null;
      throw error;
    }
  }

  remove(roots: RootHex[]): void {
    for (const root of roots) {
      this.blocks.delete(root);
      this.states.delete(root);
    }
  }

  /** Makes `root` the finalized block; the caller removes what is left behind. */
  setFinalized(root: RootHex): void {
    this.finalizedState = this.getState(root);
    this.finalizedRoot = root;
    this.states.delete(root);
  }

  private lookUp(root: RootHex): CachedState | null {
    if (root === this.finalizedRoot) return this.finalizedState;
    const state = this.states.get(root);
    if (state === undefined) return null;
    this.states.delete(root);
    this.states.set(root, state);
    return state;
  }

  private keep(root: RootHex, state: CachedState): void {
    this.states.set(root, state);
    for (const oldest of this.states.keys()) {
      if (this.states.size <= MAX_STATES) break;
      this.states.delete(oldest);
    }
  }
}
