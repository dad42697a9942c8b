/** What the chain needs of the network and of the pool; `node.ts` puts the real ones behind these. */
import type { TriggeredExit } from "../spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../state/beacon_state.ts";

/** A block as it crosses the wire: SSZ, and the fork digest of its slot (4 bytes, hex without 0x). */
export interface WireBlock {
  readonly forkDigest: string;
  readonly ssz: Uint8Array;
}

/** The part of a peer's Status that sync looks at. */
export interface PeerStatus {
  readonly finalizedRoot: Uint8Array;
  readonly finalizedEpoch: number;
  readonly headRoot: Uint8Array;
  readonly headSlot: number;
}

/** Why a peer lost our trust as a source of blocks. */
export type SyncFault = "REQUEST_FAILED" | "UNREQUESTED_BLOCK" | "BAD_BLOCK" | "UNLINKED_BLOCKS";

export interface ChainNetwork {
  publishBlock(forkDigest: string, ssz: Uint8Array): Promise<void>;
  publishAttestation(subnet: number, forkDigest: string, ssz: Uint8Array): Promise<void>;
  /** Rejects with a `CodedError` when the peer cannot or will not answer. */
  requestBlocksByRange(peerId: string, startSlot: number, count: number): Promise<WireBlock[]>;
  requestBlocksByRoot(peerId: string, roots: Uint8Array[]): Promise<WireBlock[]>;
  requestStatus(peerId: string): Promise<PeerStatus>;
  /** Ids of the peers that are connected now. */
  peerIds(): string[];
  /** Tells the guard of a peer that broke a rule of sync. */
  reportPeer(peerId: string, fault: SyncFault): void;
}

/**
 * The pool's choice for a block, against `state`: the proposal state after its payload, before its operations. At most
 * MAX_TRIGGERED_EXITS, each valid after those before it.
 */
export type PackTriggeredExits = (state: CachedBeaconStateMessageBus) => TriggeredExit[];
