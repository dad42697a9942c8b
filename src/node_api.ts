/** The API's questions answered from the node's parts. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import type {
  ApiBackend,
  ApiEvent,
  ApiHeader,
  ApiState,
  ChainPointId,
  SubmitOutcome,
  SyncingStatus,
} from "./api/backend.ts";
import { blockRootOf } from "./chain/block.ts";
import type { Chain } from "./chain/chain.ts";
import type { HeadEvent } from "./chain/events.ts";
import type { ChainId } from "./chain/history.ts";
import { fromRootHex, toRootHex } from "./chain/root_hex.ts";
import type { Network } from "./network/network.ts";
import type { NodeEvent } from "./node_events.ts";
import type { NodeExits } from "./node_exits.ts";
import type { TriggeredExitPool } from "./pool/triggered_exits.ts";
import type { TriggeredExit } from "./spec/types.ts";
import type { CachedState } from "./state/beacon_state.ts";

/** The part of a chain that the API's questions need. */
export type ApiChain = Pick<Chain, "config" | "getState" | "getBlock" | "isSynced"> & {
  readonly head: Pick<Chain["head"], "slot" | "optimistic">;
  readonly slots: Pick<Chain["slots"], "currentSlot">;
};

export interface NodeApiDeps {
  readonly chain: ApiChain;
  readonly network: Network;
  readonly pool: TriggeredExitPool;
  readonly exits: NodeExits;
  isExecutionAvailable(): boolean;
  readonly attestationSubnets: number;
}

/** Slots behind the clock at which a node still counts as following it: an honest proposer may miss one. */
const SYNC_TOLERANCE_SLOTS = 1;

/** Columns are no concern of this node; the least that identify lets a peer claim. */
const CUSTODY_GROUP_COUNT = 4;

/** What a node calls itself, in the form of other clients. */
export function clientVersion(version: string): string {
  return `msgbus/v${version}/${process.platform}-${process.arch}`;
}

export class NodeApi implements ApiBackend {
  readonly #deps: NodeApiDeps;
  readonly #listeners = new Set<(event: ApiEvent) => void>();

  constructor(deps: NodeApiDeps) {
    this.#deps = deps;
  }

  /** Tells the event streams. */
  tell(event: ApiEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  tellVerdict({ event: _, topic: __, ...verdict }: Extract<NodeEvent, { event: "verdict" }>): void {
    this.tell({ topic: "verdict", ...verdict });
  }

  tellBlock(slot: number, root: string, executionOptimistic: boolean): void {
    this.tell({ topic: "block", slot, block: fromRootHex(root), executionOptimistic });
  }

  tellHead({ root, slot, optimistic }: HeadEvent): void {
    const state = this.#deps.chain.getState(root);
    if (state === null) return;
    const { epochCtx } = state;
    const firstSlotOfEpoch = epochCtx.epoch * SLOTS_PER_EPOCH;
    this.tell({
      topic: "head",
      slot,
      block: fromRootHex(root),
      state: state.hashTreeRoot(),
      epochTransition: slot === firstSlotOfEpoch,
      previousDutyDependentRoot: fromRootHex(epochCtx.currentDecisionRoot),
      currentDutyDependentRoot: fromRootHex(epochCtx.nextDecisionRoot),
      executionOptimistic: optimistic,
    });
  }

  tellFinalized(epoch: number, root: string): void {
    const state = this.#deps.chain.getState(root);
    if (state === null) return;
    const block = fromRootHex(root);
    this.tell({ topic: "finalized_checkpoint", block, state: state.hashTreeRoot(), epoch, executionOptimistic: false });
  }

  subscribe(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  getIdentity() {
    const { network, attestationSubnets } = this.#deps;
    const attnets = new Uint8Array(8);
    for (let subnet = 0; subnet < attestationSubnets; subnet++) {
      attnets[subnet >> 3] = (attnets[subnet >> 3] ?? 0) | (1 << (subnet & 7));
    }
    return {
      peerId: network.peerId,
      p2pAddresses: network.multiaddrs(),
      metadata: { seqNumber: 0n, attnets, syncnets: new Uint8Array(1), custodyGroupCount: CUSTODY_GROUP_COUNT },
    };
  }

  getPeers() {
    return this.#deps.network.peers();
  }

  getSyncing(): SyncingStatus {
    const { chain } = this.#deps;
    const { slot, optimistic } = chain.head;
    const behind = Math.max(0, chain.slots.currentSlot - slot);
    return {
      headSlot: slot,
      syncDistance: behind <= SYNC_TOLERANCE_SLOTS ? 0 : behind,
      isSyncing: !chain.isSynced(),
      isOptimistic: optimistic,
      elOffline: !this.#deps.isExecutionAvailable(),
    };
  }

  getGenesis() {
    const { config } = this.#deps.chain;
    const genesisTime = this.#deps.chain.getState("head")?.genesisTime;
    if (genesisTime === undefined) return null;
    return {
      genesisTime,
      genesisValidatorsRoot: config.genesisValidatorsRoot,
      genesisForkVersion: config.GENESIS_FORK_VERSION,
    };
  }

  async getHeader(id: ChainPointId): Promise<ApiHeader | null> {
    const found = await this.#deps.chain.getBlock(toChainId(id));
    if (found === null) return null;
    return {
      root: fromRootHex(found.block.root),
      canonical: found.canonical,
      header: found.block.header,
      executionOptimistic: found.optimistic,
      finalized: found.finalized,
    };
  }

  async getState(id: ChainPointId): Promise<ApiState | null> {
    const { chain } = this.#deps;
    const state = chain.getState(toChainId(id));
    if (state === null) return null;
    // A block's root finds a state too, and is not that state's.
    if (id.kind === "root" && Buffer.compare(state.hashTreeRoot(), id.root) !== 0) return null;
    const found = await chain.getBlock(blockRootOf(state));
    return {
      epoch: Math.floor(state.slot / SLOTS_PER_EPOCH),
      previousJustified: state.previousJustifiedCheckpoint,
      currentJustified: state.currentJustifiedCheckpoint,
      finalizedCheckpoint: state.finalizedCheckpoint,
      executionOptimistic: found?.optimistic ?? false,
      finalized: found?.finalized ?? false,
      getValidator: (validatorId) => validatorOf(state, validatorId),
    };
  }

  listTriggeredExits(): Uint8Array[] {
    return Array.from(this.#deps.pool.pending(), ({ ssz }) => ssz);
  }

  async submitTriggeredExits(exits: readonly TriggeredExit[]): Promise<SubmitOutcome[]> {
    const outcomes: SubmitOutcome[] = [];
    for (const exit of exits) outcomes.push(await this.#deps.exits.submit(exit));
    return outcomes;
  }
}

function validatorOf(state: CachedState, id: Parameters<ApiState["getValidator"]>[0]) {
  const index = id.kind === "index" ? id.index : state.epochCtx.pubkeyCache.getIndex(id.pubkey);
  if (index === null || index >= state.validators.length) return null;
  return { index, balance: state.balances.get(index), validator: state.validators.getReadonly(index) };
}

function toChainId(id: ChainPointId): ChainId {
  switch (id.kind) {
    case "name":
      return id.name;
    case "slot":
      return id.slot;
    case "root":
      return toRootHex(id.root);
  }
}
