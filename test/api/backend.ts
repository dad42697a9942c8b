/** A backend with one block, one state, two validators and a pool, for the tests of the API. */
import { ssz } from "@lodestar/types";
import type {
  ApiBackend,
  ApiEvent,
  ApiPeer,
  ChainPointId,
  SubmitOutcome,
  SyncingStatus,
} from "../../src/api/backend.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import type { TriggeredExitCode } from "../../src/validation/verdict.ts";

export const BLOCK_ROOT = new Uint8Array(32).fill(0xb1);
export const STATE_ROOT = new Uint8Array(32).fill(0x57);
const EPOCH = 5;

/** An exit that serializes; `seed` tells it from others. */
export function triggeredExit(seed: number): TriggeredExit {
  const exit = TriggeredExit.defaultValue();
  exit.data.pubkey = new Uint8Array(48).fill(seed);
  exit.messageBusSignal.messageIndex = BigInt(seed);
  return exit;
}

export class TestBackend implements ApiBackend {
  syncing: SyncingStatus | null = {
    headSlot: 40,
    syncDistance: 0,
    isSyncing: false,
    isOptimistic: false,
    elOffline: false,
  };
  genesisKnown = true;
  peers: ApiPeer[] = [];
  readonly pool: TriggeredExit[] = [];
  /** Codes with which the exits of these seeds are refused. */
  readonly refused = new Map<number, TriggeredExitCode>();
  readonly deferred = new Set<number>();
  /** Thrown by every answer about a header. */
  fault: Error | null = null;
  readonly #listeners = new Set<(event: ApiEvent) => void>();

  get listenerCount(): number {
    return this.#listeners.size;
  }

  emit(event: ApiEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  getIdentity() {
    return {
      peerId: "12D3KooWTest",
      p2pAddresses: ["/ip4/127.0.0.1/tcp/9000/p2p/12D3KooWTest"],
      metadata: { seqNumber: 1n, attnets: new Uint8Array(8), syncnets: new Uint8Array(1), custodyGroupCount: 4 },
    };
  }

  getPeers() {
    return this.peers;
  }

  getSyncing() {
    return this.syncing;
  }

  getGenesis() {
    return this.genesisKnown ? { ...ssz.phase0.Genesis.defaultValue(), genesisTime: 1_700_000_000 } : null;
  }

  async getHeader(id: ChainPointId) {
    if (this.fault !== null) throw this.fault;
    if (!isAt(id, BLOCK_ROOT)) return null;
    const header = ssz.phase0.SignedBeaconBlockHeader.defaultValue();
    header.message.slot = 40;
    return { root: BLOCK_ROOT, canonical: true, header, executionOptimistic: false, finalized: false };
  }

  async getState(id: ChainPointId) {
    if (!isAt(id, STATE_ROOT)) return null;
    const validators = [0, 1].map((index) => ({
      ...ssz.phase0.Validator.defaultValue(),
      pubkey: new Uint8Array(48).fill(index + 1),
      activationEligibilityEpoch: 0,
      activationEpoch: 0,
      exitEpoch: index === 0 ? Number.POSITIVE_INFINITY : 9,
      withdrawableEpoch: Number.POSITIVE_INFINITY,
      effectiveBalance: 32_000_000_000,
    }));
    const checkpoint = (epoch: number) => ({ epoch, root: BLOCK_ROOT });
    return {
      executionOptimistic: false,
      finalized: false,
      epoch: EPOCH,
      previousJustified: checkpoint(EPOCH - 2),
      currentJustified: checkpoint(EPOCH - 1),
      finalizedCheckpoint: checkpoint(EPOCH - 2),
      getValidator: (validator: { kind: string; index?: number; pubkey?: Uint8Array }) => {
        const index = validator.pubkey === undefined ? (validator.index ?? -1) : (validator.pubkey[0] ?? 0) - 1;
        const found = validators[index];
        return found === undefined ? null : { index, balance: 32_000_000_001, validator: found };
      },
    };
  }

  listTriggeredExits() {
    return this.pool.map((exit) => TriggeredExit.serialize(exit));
  }

  async submitTriggeredExits(exits: readonly TriggeredExit[]): Promise<SubmitOutcome[]> {
    return exits.map((exit) => {
      if (this.deferred.has(exit.data.pubkey[0] ?? 0)) return { status: "deferred" };
      const code = this.refused.get(exit.data.pubkey[0] ?? 0);
      if (code !== undefined) return { status: "refused", code };
      if (this.pool.some((known) => TriggeredExit.equals(known, exit))) return { status: "known" };
      this.pool.push(exit);
      return { status: "published", recipients: 3 };
    });
  }

  subscribe(listener: (event: ApiEvent) => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function isAt(id: ChainPointId, root: Uint8Array): boolean {
  if (id.kind === "name") return id.name === "head";
  if (id.kind === "slot") return id.slot === 40;
  return Buffer.from(id.root).equals(root);
}
