/** Puts the network's parts together: libp2p, gossip behind its boundary, req/resp, redialing. */
import type { IdentifyResult, Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Clock, sleep } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { parseBootnode } from "./addresses.ts";
import { createCounters } from "./counters.ts";
import type { Cure } from "./cures/cure.ts";
import { ALL_CURES } from "./cures/index.ts";
import { createGossip, type Gossip, type GossipOptions, gossipsubService } from "./gossip.ts";
import { sharedRanges } from "./guard/address_ranges.ts";
import { createBanFile } from "./guard/ban_file.ts";
import { createGuard, type Guard } from "./guard/guard.ts";
import { parsePrivateKey } from "./identity.ts";
import { createLibp2pNode, type Services, startLibp2p } from "./libp2p.ts";
import type { GossipTopic, GossipVerdict, Network, PeerInfo, ReqRespBackend } from "./network.ts";
import { type Redialer, startRedialer } from "./peers.ts";
import { createReqResp, type ReqResp } from "./reqresp/reqresp.ts";
import { FAST_STACK, type TransportStack } from "./transport/stack.ts";

const DEFAULT_TARGET_PEERS = 25;
/** Room above the target for peers that dial us. */
const DEFAULT_MAX_PEERS = 60;
/** Each is a stream of its own: at the library's 10 s they were a sixth of a quiet network's work. */
const DEFAULT_PING_INTERVAL_MS = 30_000;
const GOODBYE_TIMEOUT_MS = 1_000;
const STOP_TIMEOUT_MS = 3_000;
/** Distinct reasons of disconnects that are counted; what comes later is "OTHER". */
const MAX_DISCONNECT_REASONS = 64;
/** Of what a peer calls itself, kept for people to read. */
const MAX_AGENT_LENGTH = 128;

export interface NetworkOptions {
  /** libp2p's protobuf form, from `loadIdentity`. */
  readonly privateKey: Uint8Array;
  /** Multiaddrs. */
  readonly listen: readonly string[];
  /** Multiaddrs with peer ids; this node's own is passed over. */
  readonly bootnodes: readonly string[];
  /** Of this software, for its agent string. */
  readonly version: string;
  readonly slotMs: number;
  readonly slotsPerEpoch: number;
  /** Every fork digest of the network's schedule, hex without 0x: topics of others come too late, see `gossip.ts`. */
  readonly forkDigests: readonly string[];
  /** Bootnodes are redialed while there are fewer peers, or fewer than eight that we have dialed. */
  readonly targetPeers?: number;
  readonly maxPeers?: number;
  /** Between two pings of a peer, in the mean of all nodes. */
  readonly pingIntervalMs?: number;
  /** Keeps the bans over a restart; null or absent: they end with the node. */
  readonly dataDir?: string | null;
  /** Peer ids that the guard counts, but never hangs up. */
  readonly exemptPeers?: readonly string[];
  /** Address ranges (CIDR) of test networks, where many peers share an address, as they do on loopback. */
  readonly testNetworks?: readonly string[];
}

export interface NetworkDependencies {
  readonly backend: ReqRespBackend;
  readonly onVerdict: (verdict: GossipVerdict) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Running {
  readonly guard: Guard;
  readonly libp2p: Libp2p<Services>;
  readonly gossip: Gossip;
  readonly reqresp: ReqResp;
  readonly redialer: Redialer;
}

/** Throws a `CodedError`: `BAD_BOOTNODE`, `BAD_ADDRESS_RANGE`; `start` throws `BAD_MULTIADDR` and as `startLibp2p`. */
export function createNetwork(
  options: NetworkOptions,
  dependencies: NetworkDependencies,
  cures: readonly Cure[] = ALL_CURES,
  stack: TransportStack = FAST_STACK,
): Network {
  const { backend, onVerdict, clock, log } = dependencies;
  const privateKey = parsePrivateKey(options.privateKey);
  const ownPeerId = peerIdFromPrivateKey(privateKey).toString();
  const bootnodes = options.bootnodes.map(parseBootnode).filter(({ peerId }) => peerId !== ownPeerId);
  const targetPeers = options.targetPeers ?? DEFAULT_TARGET_PEERS;
  const counters = createCounters();
  const banFile = createBanFile(options.dataDir ?? null, { clock, log });
  const exemptPeers = new Set(options.exemptPeers);
  const shared = sharedRanges(options.testNetworks ?? []);
  /** By reason, MAX_DISCONNECT_REASONS at most. */
  const disconnects = new Map<string, number>();
  /** Subscriptions asked for before the start. */
  const early = new Map<string, GossipTopic>();
  /** Of connected peers, by peer id. */
  const agents = new Map<string, string>();
  let running: Running | null = null;
  let starting: Promise<void> | null = null;
  let stopping: Promise<void> | null = null;

  function countDisconnect(reason: string): void {
    const key = disconnects.has(reason) || disconnects.size < MAX_DISCONNECT_REASONS ? reason : "OTHER";
    disconnects.set(key, (disconnects.get(key) ?? 0) + 1);
  }

  function hangUp(libp2p: Libp2p, peerId: PeerId, reason: string): void {
    const connections = libp2p.getConnections(peerId);
    if (connections.length === 0) return;
    log.debug({ peerId: peerId.toString(), reason }, "Hanging up a peer");
    countDisconnect(reason);
    for (const connection of connections) connection.close().catch(() => connection.abort(new Error(reason)));
  }

  /** A close waits for the peer to agree; a flood goes on meanwhile. */
  function cutOff(libp2p: Libp2p, peerId: string, reason: string): void {
    countDisconnect(reason);
    for (const connection of libp2p.getConnections()) {
      if (connection.remotePeer.toString() === peerId) connection.abort(new Error(reason));
    }
  }

  async function start(): Promise<void> {
    const guard: Guard = createGuard(
      { exemptPeers, shared, storedBans: await banFile.load() },
      {
        clock,
        log,
        cutOff: (peerId, reason) => cutOff(libp2p, peerId, reason),
        onAddressRefused: countDisconnect,
        onBansChanged: () => banFile.changed(guard.bans),
      },
    );
    const gossipOptions: GossipOptions = {
      timing: { slotMs: options.slotMs, slotsPerEpoch: options.slotsPerEpoch },
      forkDigests: options.forkDigests,
      cures: [...cures, ...stack.gossip],
      guard,
      isSharedAddress: shared.has,
      clock,
      log,
      counters,
      onVerdict,
    };
    const libp2p = await createLibp2pNode({
      privateKey,
      listen: options.listen,
      bootnodes,
      maxPeers: options.maxPeers ?? DEFAULT_MAX_PEERS,
      guard,
      clock,
      version: options.version,
      stack,
      // A node pings all its peers at once: nodes that started together must not all do so at the same moment.
      pingIntervalMs: (options.pingIntervalMs ?? DEFAULT_PING_INTERVAL_MS) * (0.75 + 0.5 * dependencies.random.float()),
      pubsub: gossipsubService(gossipOptions),
    });
    const hangUpPeer = (peerId: PeerId, reason: string) => hangUp(libp2p, peerId, reason);
    const gossip = createGossip(gossipOptions, libp2p, hangUpPeer);
    const relevantDigests = () => gossip.forkDigests().add(Buffer.from(backend.getStatus().forkDigest).toString("hex"));
    const reqresp = createReqResp({ libp2p, backend, relevantDigests, hangUp: hangUpPeer, clock, log, counters });
    for (const topic of early.values()) gossip.subscribe(topic);
    early.clear();

    libp2p.addEventListener("peer:identify", ({ detail }: CustomEvent<IdentifyResult>) => {
      const { peerId, agentVersion, protocols, connection } = detail;
      if (connection.status !== "open") return;
      if (agentVersion !== undefined) agents.set(peerId.toString(), printable(agentVersion));
      void reqresp.greet(connection, protocols);
    });
    libp2p.addEventListener("peer:disconnect", ({ detail }: CustomEvent<PeerId>) => {
      agents.delete(detail.toString());
      backend.onPeerGone?.(detail.toString());
    });
    // Before the first peer can ask for our protocols.
    await reqresp.start();
    await startLibp2p(libp2p, options.listen);
    gossip.start();
    const redialer = startRedialer(bootnodes, targetPeers, { ...dependencies, libp2p });
    running = { guard, libp2p, gossip, reqresp, redialer };
  }

  async function stop(): Promise<void> {
    // Asked to leave while still coming up: what was opened must be closed.
    await starting?.catch(() => {});
    if (running === null) return;
    const { libp2p, gossip, reqresp, redialer } = running;
    redialer.stop();
    gossip.stop();
    const done = new AbortController();
    await Promise.race([reqresp.sayGoodbye(), sleep(clock, GOODBYE_TIMEOUT_MS, done.signal)]);
    const stopped = Promise.resolve(libp2p.stop()).catch((error) =>
      log.warn({ error: errorMessage(error) }, "libp2p did not stop cleanly"),
    );
    await Promise.race([stopped, sleep(clock, STOP_TIMEOUT_MS, done.signal)]);
    done.abort();
    for (const connection of libp2p.getConnections()) connection.abort(new Error("the node stops"));
    running = null;
    await banFile.close();
  }

  function mustRun(): Running {
    if (running === null) throw new CodedError("NETWORK_NOT_RUNNING", "The network is not running");
    return running;
  }

  function peerInfo({ guard, libp2p, gossip }: Running, peerId: PeerId): PeerInfo[] {
    const [connection] = libp2p.getConnections(peerId);
    if (connection === undefined) return [];
    const id = peerId.toString();
    return [
      {
        peerId: id,
        lastSeenAddress: connection.remoteAddr.toString(),
        direction: connection.direction,
        state: connection.status === "open" ? "connected" : "disconnecting",
        agent: agents.get(id) ?? null,
        score: gossip.score(id),
        meshTopics: gossip.meshTopics(id),
        guard: guard.totals(id),
      },
    ];
  }

  return {
    peerId: ownPeerId,
    multiaddrs: () => running?.libp2p.getMultiaddrs().map(String) ?? [],
    start() {
      starting ??= start();
      return starting;
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    subscribe(topic) {
      if (running === null) early.set(`${topic.forkDigest} ${topic.name}`, topic);
      else running.gossip.subscribe(topic);
    },
    unsubscribe(name, forkDigest) {
      early.delete(`${forkDigest} ${name}`);
      running?.gossip.unsubscribe(name, forkDigest);
    },
    topics: () => running?.gossip.topics() ?? [],
    publish: async (name, forkDigest, ssz, options) => mustRun().gossip.publish(name, forkDigest, ssz, options),
    peers() {
      const now = running;
      return now === null ? [] : now.libp2p.getPeers().flatMap((peerId) => peerInfo(now, peerId));
    },
    meshPeerCount: (name, forkDigest) => running?.gossip.meshPeerCount(name, forkDigest) ?? 0,
    requestBlocksByRange: async (peerId, startSlot, count) =>
      mustRun().reqresp.requestBlocksByRange(peerId, startSlot, count),
    requestBlocksByRoot: async (peerId, roots) => mustRun().reqresp.requestBlocksByRoot(peerId, roots),
    requestStatus: async (peerId) => mustRun().reqresp.requestStatus(peerId),
    disconnect(peerId, reason) {
      const peer = running?.libp2p.getPeers().find((candidate) => candidate.toString() === peerId);
      if (running !== null && peer !== undefined) hangUp(running.libp2p, peer, reason);
    },
    penalize(peerId, fault, count = 1) {
      running?.guard.meter(peerId).spend(fault, count);
    },
    disconnects: () => Object.fromEntries(disconnects),
    counters: () => ({ ...counters }),
  };
}

function printable(agent: string): string {
  return agent.slice(0, MAX_AGENT_LENGTH).replace(/[^ -~]/g, "?");
}
