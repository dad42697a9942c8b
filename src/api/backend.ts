/** What the API asks of the node, in plain values: `node.ts` puts the chain, the pool and the network behind it. */
import type { phase0 } from "@lodestar/types";
import type { TriggeredExit } from "../spec/types.ts";
import type { OperationSource, TriggeredExitCode, VerdictResult } from "../validation/verdict.ts";

/** A block or state by its name, its slot, or its 32-byte root (the block's for a block, the state's for a state). */
export type ChainPointId =
  | { readonly kind: "name"; readonly name: "head" | "genesis" | "finalized" | "justified" }
  | { readonly kind: "slot"; readonly slot: number }
  | { readonly kind: "root"; readonly root: Uint8Array };

export type ValidatorId =
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "pubkey"; readonly pubkey: Uint8Array };

export interface NodeIdentity {
  readonly peerId: string;
  /** Multiaddrs with peer id. */
  readonly p2pAddresses: readonly string[];
  readonly metadata: {
    readonly seqNumber: bigint;
    /** Bitvector[64], 8 bytes. */
    readonly attnets: Uint8Array;
    /** Bitvector[4], 1 byte. */
    readonly syncnets: Uint8Array;
    readonly custodyGroupCount: number;
  };
}

export interface ApiPeer {
  readonly peerId: string;
  readonly lastSeenAddress: string;
  readonly direction: "inbound" | "outbound";
  readonly state: "connected" | "connecting" | "disconnected" | "disconnecting";
  readonly agent: string | null;
  /** Gossipsub's. */
  readonly score: number;
  /** Full topics in whose mesh the peer is. */
  readonly meshTopics: readonly string[];
  /** What the peer has spent of the guard's limits, by kind. */
  readonly guard: Readonly<Record<string, number>>;
}

export interface SyncingStatus {
  readonly headSlot: number;
  /** Slots between head and clock; 0 when synced. */
  readonly syncDistance: number;
  readonly isSyncing: boolean;
  readonly isOptimistic: boolean;
  readonly elOffline: boolean;
}

/** How far an answer can be trusted. */
export interface ChainPointMeta {
  /** The answer rests on a payload that no execution client has verified. */
  readonly executionOptimistic: boolean;
  readonly finalized: boolean;
}

export interface ApiHeader extends ChainPointMeta {
  /** 32 bytes, the block's. */
  readonly root: Uint8Array;
  readonly canonical: boolean;
  readonly header: phase0.SignedBeaconBlockHeader;
}

export interface ApiValidator {
  readonly index: number;
  /** Gwei. */
  readonly balance: number;
  readonly validator: phase0.Validator;
}

/** One state, opened for reading. */
export interface ApiState extends ChainPointMeta {
  readonly epoch: number;
  readonly previousJustified: phase0.Checkpoint;
  readonly currentJustified: phase0.Checkpoint;
  readonly finalizedCheckpoint: phase0.Checkpoint;
  getValidator(id: ValidatorId): ApiValidator | null;
}

/**
 * `known`: this very exit is in the pool already, so that sending it again is no failure. `deferred`: its root is not
 * stored yet; it is judged again when it is, and published if it is valid then.
 */
export type SubmitOutcome =
  | { readonly status: "published"; readonly recipients: number }
  | { readonly status: "known" | "deferred" }
  | { readonly status: "refused"; readonly code: TriggeredExitCode };

/** Roots are 32 bytes; the fields are those of the Beacon API's events. */
export type ApiEvent =
  | { readonly topic: "triggered_exit"; readonly triggeredExit: TriggeredExit }
  | {
      readonly topic: "block";
      readonly slot: number;
      readonly block: Uint8Array;
      readonly executionOptimistic: boolean;
    }
  | {
      readonly topic: "head";
      readonly slot: number;
      readonly block: Uint8Array;
      readonly state: Uint8Array;
      readonly epochTransition: boolean;
      readonly previousDutyDependentRoot: Uint8Array;
      readonly currentDutyDependentRoot: Uint8Array;
      readonly executionOptimistic: boolean;
    }
  | {
      readonly topic: "finalized_checkpoint";
      readonly block: Uint8Array;
      readonly state: Uint8Array;
      readonly epoch: number;
      readonly executionOptimistic: boolean;
    }
  /** On a triggered exit, whoever brought it. */
  | {
      readonly topic: "verdict";
      readonly source: OperationSource;
      /** The peer that brought it by gossip. */
      readonly peerId: string | null;
      /** 0x-hex; null where the bytes hold no operation. */
      readonly pubkey: string | null;
      /** Decimal. */
      readonly messageIndex: string | null;
      readonly result: VerdictResult;
      readonly code: string;
      readonly elapsedMs: number;
    };

/** A throw is answered with 500 and logged; `null` means unknown and is answered with 404. */
export interface ApiBackend {
  getIdentity(): NodeIdentity;
  getPeers(): readonly ApiPeer[];
  /** Null until there is a chain to speak of. */
  getSyncing(): SyncingStatus | null;
  getGenesis(): phase0.Genesis | null;
  getHeader(id: ChainPointId): Promise<ApiHeader | null>;
  getState(id: ChainPointId): Promise<ApiState | null>;
  /** The SSZ of each that waits for a block. */
  listTriggeredExits(): readonly Uint8Array[];
  /** Judges each by gossip's verdict function, keeps and publishes the good ones; one outcome each, in order. */
  submitTriggeredExits(triggeredExits: readonly TriggeredExit[]): Promise<readonly SubmitOutcome[]>;
  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: ApiEvent) => void): () => void;
}
