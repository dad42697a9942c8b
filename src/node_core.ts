/** What every node has, whatever its chain: gossip, the exits' way through it, the pool, API and metrics. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { createMetrics } from "./api/metrics.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { CancelTimer, Clock } from "./base/clock.ts";
import { errorMessage } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import type { Random } from "./base/random.ts";
import { createNetwork, type NetworkDependencies } from "./network/create_network.ts";
import { HEARTBEAT_INTERVAL_MS } from "./network/gossip.ts";
import type { Network, TopicName } from "./network/network.ts";
import { type ApiChain, clientVersion, NodeApi } from "./node_api.ts";
import type { NodeEventSink } from "./node_events.ts";
import { NodeExits, type NodeExitsDeps } from "./node_exits.ts";
import { TriggeredExitPool } from "./pool/triggered_exits.ts";
import { sszHasherName } from "./spec/hasher.ts";
import { proofHasherName } from "./state/proof.ts";
import { operations } from "./validation/operations.ts";

/** What every node is told from outside. */
export interface NodeCoreOptions {
  /** Keeps what is to outlive a restart: the identity, bans, and what the node's kind has; null keeps nothing. */
  readonly dataDir: string | null;
  /** Peer ids that the peer guard never hangs up. */
  readonly exemptPeers?: readonly string[];
  /** Address ranges (CIDR) where many peers share an address, as they do on loopback. */
  readonly testNetworks?: readonly string[];
  /** Multiaddrs. */
  readonly listen: readonly string[];
  /** Multiaddrs with peer ids, beside those of the network directory. */
  readonly bootnodes: readonly string[];
  /** Null serves no API; 0 takes any free port. */
  readonly apiPort: number | null;
  readonly apiHost: string;
  /** That the API answers to, beside addresses and local names. */
  readonly apiNames?: readonly string[];
  readonly version: string;
}

export interface NodeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onEvent: NodeEventSink;
}

export interface RunningNode {
  readonly apiUrl: string | null;
  /** Leaves the network and frees the ports, within 5 s. */
  stop(): Promise<void>;
}

/** What the kinds of node differ in. */
export interface NodeCoreParts {
  /** libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
  /** Those of the network directory. */
  readonly bootnodes: readonly string[];
  /** Every digest that the node may meet, hex without 0x. */
  readonly forkDigests: readonly string[];
  /** The digest at the clock's epoch. */
  forkDigest(): string;
  /** Of which the mesh is told and measured. */
  readonly meshTopics: readonly TopicName[];
  readonly attestationSubnets: number;
  readonly chain: ApiChain;
  readonly backend: NetworkDependencies["backend"];
  readonly exits: Pick<NodeExitsDeps, "validator" | "headView" | "journal" | "restored" | "proveAgain">;
  /** Whether peers answer for what this node cannot prove: not while it knows less than they do. */
  mayPenalize(): boolean;
  isExecutionAvailable(): boolean;
}

export class NodeCore {
  readonly network: Network;
  readonly pool = new TriggeredExitPool();
  readonly metrics = createMetrics();
  readonly exits: NodeExits;
  readonly api: NodeApi;
  readonly #options: NodeCoreOptions;
  readonly #deps: NodeDeps;
  readonly #parts: NodeCoreParts;
  readonly #toldMesh = new Map<TopicName, number>();
  #server: ApiServer | null = null;
  #cancelTimer: CancelTimer = () => {};

  constructor(options: NodeCoreOptions, deps: NodeDeps, parts: NodeCoreParts) {
    const { clock, random, log, onEvent } = deps;
    const { chain, isExecutionAvailable, attestationSubnets } = parts;
    const slotMs = chain.config.SLOT_DURATION_MS;
    this.#options = options;
    this.#deps = deps;
    this.#parts = parts;
    this.network = createNetwork(
      {
        privateKey: parts.privateKey,
        listen: options.listen,
        bootnodes: [...parts.bootnodes, ...options.bootnodes],
        version: options.version,
        slotMs,
        slotsPerEpoch: SLOTS_PER_EPOCH,
        forkDigests: parts.forkDigests,
        dataDir: options.dataDir,
        exemptPeers: options.exemptPeers ?? [],
        testNetworks: options.testNetworks ?? [],
      },
      {
        backend: parts.backend,
        onVerdict: ({ topic, verdict, elapsedMs }) => this.metrics.observeVerdict(topic, verdict, elapsedMs),
        clock,
        random,
        log: log.child({ room: "network" }),
      },
    );
    const { topic } = operations.triggeredExit;
    this.exits = new NodeExits({
      ...parts.exits,
      pool: this.pool,
      publish: (ssz, evenIfSeen) => this.network.publish(topic, parts.forkDigest(), ssz, { evenIfSeen }),
      isSynced: () => chain.isSynced(),
      penalize: (peerId, fault, count) => {
        if (parts.mayPenalize()) this.network.penalize(peerId, fault, count);
      },
      slotMs,
      onAccepted: (triggeredExit) => this.api.tell({ topic, triggeredExit }),
      onEvent: (event) => {
        if (event.event === "verdict") this.api.tellVerdict(event);
        onEvent(event);
      },
      clock,
      log,
    });
    const { network, pool, exits } = this;
    this.api = new NodeApi({ chain, network, pool, exits, isExecutionAvailable, attestationSubnets });
  }

  get apiUrl(): string | null {
    return this.#server?.url ?? null;
  }

  /** Joins the network, which must have its topics by then, and serves the API. */
  async start(): Promise<void> {
    const { apiPort, apiHost, apiNames = [], version } = this.#options;
    const { clock, log } = this.#deps;
    log.info({ ssz: sszHasherName, proofs: proofHasherName }, "hashing by hashtree is native, by noble portable");
    await this.network.start();
    this.metrics.onScrape(() => this.#measure());
    if (apiPort !== null) {
      const apiDeps = { backend: this.api, metrics: this.metrics, logger: log.child({ room: "api" }), clock };
      const apiOptions = { host: apiHost, names: apiNames, port: apiPort, version: clientVersion(version) };
      this.#server = await startApiServer(apiOptions, apiDeps);
    }
    this.#cancelTimer = clock.every(HEARTBEAT_INTERVAL_MS, () => {
      this.exits.sweep();
      this.#tellMesh();
    });
  }

  tellReady(): void {
    const { network, apiUrl } = this;
    this.#deps.onEvent({
      event: "ready",
      peerId: network.peerId,
      multiaddrs: network.multiaddrs(),
      topics: network.topics(),
      forkDigest: this.#parts.forkDigest(),
      apiUrl,
      pageUrl: apiUrl === null ? null : `${apiUrl}/`,
    });
  }

  async stop(): Promise<void> {
    this.#cancelTimer();
    this.exits.stop();
    await settle(this.#deps.log, [this.#server?.stop(), this.network.stop()]);
  }

  #tellMesh(): void {
    for (const topic of this.#parts.meshTopics) {
      const peers = this.#meshPeers(topic);
      if (peers === (this.#toldMesh.get(topic) ?? 0)) continue;
      this.#toldMesh.set(topic, peers);
      this.#deps.onEvent({ event: "mesh", topic, peers });
    }
  }

  /** Sets the gauges that nobody pushes. */
  #measure(): void {
    const { metrics, network } = this;
    const { chain, meshTopics, isExecutionAvailable } = this.#parts;
    metrics.setPoolSize(this.pool.size);
    metrics.setParked(this.exits.parkedCount);
    metrics.setHeadSlot(chain.head.slot);
    metrics.setExecutionAvailable(isExecutionAvailable());
    for (const topic of meshTopics) metrics.setMeshPeers(topic, this.#meshPeers(topic));
    const peers = network.peers();
    metrics.setPeers(peers.length);
    metrics.setNetworkCounts(network.counters(), network.disconnects());
    const spent: Record<string, number> = {};
    for (const { guard } of peers) {
      for (const [kind, amount] of Object.entries(guard)) spent[kind] = (spent[kind] ?? 0) + amount;
    }
    metrics.setGuardSpent(spent);
  }

  #meshPeers(topic: TopicName): number {
    return this.network.meshPeerCount(topic, this.#parts.forkDigest());
  }
}

/** Starts the node; one that fails on the way leaves nothing running. */
export async function startOrStop<T extends RunningNode & { start(): Promise<void> }>(node: T): Promise<T> {
  try {
    await node.start();
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** Waits for all parts to stop, and logs those that could not. */
export async function settle(log: Logger, parts: readonly (Promise<void> | undefined)[]): Promise<void> {
  for (const outcome of await Promise.allSettled(parts)) {
    if (outcome.status === "fulfilled") continue;
    log.warn({ error: errorMessage(outcome.reason) }, "a part did not stop cleanly");
  }
}
