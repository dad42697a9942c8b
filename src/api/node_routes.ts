/** `/eth/v1/node`: who this node is, whom it knows, how it fares. */
import { toHex } from "@lodestar/utils";
import { type Answer, data, failure } from "./answer.ts";
import type { ApiBackend, ApiPeer, SyncingStatus } from "./backend.ts";

const NOT_READY = failure(503, "The node has no chain yet");

export function getIdentity(backend: ApiBackend): Answer {
  const { peerId, p2pAddresses, metadata } = backend.getIdentity();
  return data({
    peer_id: peerId,
    // There is no discv5 here, hence neither a record nor addresses for it.
    enr: "",
    p2p_addresses: p2pAddresses,
    discovery_addresses: [],
    metadata: {
      seq_number: metadata.seqNumber.toString(),
      attnets: toHex(metadata.attnets),
      syncnets: toHex(metadata.syncnets),
      custody_group_count: String(metadata.custodyGroupCount),
    },
  });
}

/** Empty filters let every peer through. */
export function getPeers(backend: ApiBackend, states: readonly string[], directions: readonly string[]): Answer {
  const unknown =
    states.find((state) => !["connected", "connecting", "disconnected", "disconnecting"].includes(state)) ??
    directions.find((direction) => !["inbound", "outbound"].includes(direction));
  if (unknown !== undefined) return failure(400, `Invalid peer state or direction: ${unknown}`);
  const peers = backend
    .getPeers()
    .filter((peer) => states.length === 0 || states.includes(peer.state))
    .filter((peer) => directions.length === 0 || directions.includes(peer.direction));
  return data(peers.map(peerJson), { meta: { count: peers.length } });
}

function peerJson(peer: ApiPeer): unknown {
  return {
    peer_id: peer.peerId,
    enr: null,
    last_seen_p2p_address: peer.lastSeenAddress,
    state: peer.state,
    direction: peer.direction,
    // Beyond the Beacon API.
    agent: peer.agent,
    score: peer.score,
    mesh: peer.meshTopics,
    guard: peer.guard,
  };
}

export function getVersion(version: string): Answer {
  return data({ version });
}

export function getSyncing(backend: ApiBackend): Answer {
  const syncing = backend.getSyncing();
  return syncing === null ? NOT_READY : data(syncingJson(syncing));
}

function syncingJson(syncing: SyncingStatus): unknown {
  return {
    head_slot: String(syncing.headSlot),
    sync_distance: String(syncing.syncDistance),
    is_syncing: syncing.isSyncing,
    is_optimistic: syncing.isOptimistic,
    el_offline: syncing.elOffline,
  };
}

/** 200 ready, 206 (or the status asked for) syncing, 503 not initialised. */
export function getHealth(backend: ApiBackend, syncingStatus: string | undefined): Answer {
  const whileSyncing = Number(syncingStatus ?? 206);
  if (!Number.isInteger(whileSyncing) || whileSyncing < 100 || whileSyncing > 599) {
    return failure(400, `Invalid syncing_status: ${syncingStatus}`);
  }
  const syncing = backend.getSyncing();
  if (syncing === null) return { status: 503 };
  return { status: syncing.isSyncing || syncing.isOptimistic || syncing.elOffline ? whileSyncing : 200 };
}
