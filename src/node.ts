/** Wires the rooms into one node: the only file that knows them all. */
import { join } from "node:path";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { toHex } from "@lodestar/utils";
import { createMetrics } from "./api/metrics.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { CancelTimer, Clock } from "./base/clock.ts";
import { CodedError, errorMessage } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import type { Random } from "./base/random.ts";
import { subnetsInUse } from "./chain/attestations.ts";
import { type Chain, createChain } from "./chain/chain.ts";
import type { HeadEvent } from "./chain/events.ts";
import { loadFinalizedState, saveFinalizedStates } from "./chain/finalized_state.ts";
import { LevelArchive } from "./chain/level_archive.ts";
import { SlashingProtection } from "./chain/slashing_protection.ts";
import { noExecution } from "./execution/no_execution.ts";
import { createNetwork as createLibp2pNetwork } from "./network/create_network.ts";
import { HEARTBEAT_INTERVAL_MS } from "./network/gossip.ts";
import { createIdentity, loadIdentity } from "./network/identity.ts";
import type { Network } from "./network/network.ts";
import { clientVersion, NodeApi } from "./node_api.ts";
import type { NodeEventSink } from "./node_events.ts";
import { NodeExecution } from "./node_execution.ts";
import { NodeExits } from "./node_exits.ts";
import { measureNetwork } from "./node_metrics.ts";
import { NodeTopics, scheduledForkDigests } from "./node_topics.ts";
import { type JournalRecord, PoolJournal } from "./pool/journal.ts";
import { TriggeredExitPool } from "./pool/triggered_exits.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "./spec/config.ts";
import { sszHasherName } from "./spec/hasher.ts";
import type { CachedState } from "./state/beacon_state.ts";
import { getInteropKey } from "./state/interop_keys.ts";
import { readNetworkDir } from "./state/network_dir.ts";
import { proofHasherName } from "./state/proof.ts";
import { operations } from "./validation/operations.ts";
import type { TriggeredExitValidator } from "./validation/triggered_exit.ts";

export interface NodeOptions {
  /** A directory that `msgbus genesis` wrote. */
  readonly networkDir: string;
  /** Null: this node verifies no payload, builds none, and forms no operations. */
  readonly elUrl: string | null;
  /** Keeps identity and slashing protection; null keeps neither. */
  readonly dataDir: string | null;
  /** Peer ids that the peer guard never hangs up. */
  readonly exemptPeers?: readonly string[];
  /** Address ranges (CIDR) where many peers share an address, as they do on loopback. */
  readonly testNetworks?: readonly string[];
  /** Indices of the validators (interop keys) that this node runs. */
  readonly validators: readonly number[];
  /** Multiaddrs. */
  readonly listen: readonly string[];
  /** Multiaddrs with peer ids, beside those of the network directory. */
  readonly bootnodes: readonly string[];
  /** Null serves no API; 0 takes any free port. */
  readonly apiPort: number | null;
  readonly apiHost: string;
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

/** Of which the mesh is told and measured, under the digest of the clock's epoch. */
const MESH_TOPICS = ["beacon_block", operations.triggeredExit.topic] as const;
type MeshTopic = (typeof MESH_TOPICS)[number];

/** In the data directory. */
const PROTECTION_FILE = "slashing_protection.json";
const FINALIZED_STATE_FILE = "finalized_state.ssz";
const ARCHIVE_DIR = "blocks";

/** What an earlier run has left in the data directory. */
interface Kept {
  readonly anchorState: CachedState | null;
  readonly archive: LevelArchive;
  readonly journal: PoolJournal;
  readonly restored: readonly JournalRecord[];
}

/** @throws CodedError: what of the options cannot be used, and what to do. */
export async function startNode(options: NodeOptions, deps: NodeDeps): Promise<RunningNode> {
  const node = await Node.create(options, deps);
  try {
    await node.start();
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

class Node implements RunningNode {
  readonly #options: NodeOptions;
  readonly #deps: NodeDeps;
  readonly #config: MessageBusBeaconConfig;
  readonly #chain: Chain;
  readonly #network: Network;
  readonly #execution: NodeExecution | null;
  readonly #validator: TriggeredExitValidator;
  readonly #pool = new TriggeredExitPool();
  readonly #metrics = createMetrics();
  readonly #exits: NodeExits;
  readonly #topics: NodeTopics;
  readonly #api: NodeApi;
  readonly #subnetCount: number;
  readonly #kept: Kept | null;
  #stopSaving: () => Promise<void> = async () => {};
  #server: ApiServer | null = null;
  #cancelTimer: CancelTimer = () => {};
  #toldDigest = "";
  readonly #toldMesh = new Map<MeshTopic, number>();

  static async create(options: NodeOptions, deps: NodeDeps): Promise<Node> {
    const networkDir = await readNetworkDir(options.networkDir);
    const { dataDir } = options;
    if (dataDir === null) return new Node(options, deps, networkDir, (await createIdentity()).privateKey, null);
    const { privateKey } = await loadIdentity(dataDir);
    const anchorState = await loadFinalizedState(networkDir.genesisState, join(dataDir, FINALIZED_STATE_FILE));
    const archive = await LevelArchive.open(join(dataDir, ARCHIVE_DIR));
    const { journal, records: restored } = PoolJournal.open(dataDir, deps.log.child({ room: "pool" }));
    return new Node(options, deps, networkDir, privateKey, { anchorState, archive, journal, restored });
  }

  private constructor(
    options: NodeOptions,
    deps: NodeDeps,
    { config, genesisState, bootnodes, deployBlock }: Awaited<ReturnType<typeof readNetworkDir>>,
    privateKey: Uint8Array,
    kept: Kept | null,
  ) {
    const { clock, log, random } = deps;
    const anchorState = kept?.anchorState ?? genesisState;
    this.#options = options;
    this.#deps = deps;
    this.#config = config;
    this.#subnetCount = subnetsInUse(genesisState);
    const { elUrl } = options;
    const anchorHash = anchorState.latestExecutionPayloadHeader.blockHash;
    this.#execution =
      elUrl === null
        ? null
        : new NodeExecution({ elUrl, config, deployBlock, anchorHash }, deps, (operation, origin) =>
            this.#exits.onFormed(operation, origin),
          );
    this.#network = createLibp2pNetwork(
      {
        privateKey,
        listen: options.listen,
        bootnodes: [...bootnodes, ...options.bootnodes],
        version: options.version,
        slotMs: config.SLOT_DURATION_MS,
        slotsPerEpoch: SLOTS_PER_EPOCH,
        forkDigests: scheduledForkDigests(config),
        dataDir: options.dataDir,
        exemptPeers: options.exemptPeers ?? [],
        testNetworks: options.testNetworks ?? [],
      },
      {
        backend: {
          getStatus: () => this.#chain.status(),
          onStatus: (peerId, status) => this.#chain.onStatus(peerId, status),
          onPeerGone: (peerId) => this.#chain.onPeerGone(peerId),
          getBlocksByRange: (startSlot, count) => this.#chain.blocksByRange(startSlot, count),
          getBlocksByRoot: (roots) => this.#chain.blocksByRoot(roots),
        },
        onVerdict: ({ topic, verdict, elapsedMs }) => this.#metrics.observeVerdict(topic, verdict, elapsedMs),
        clock,
        random,
        log: log.child({ room: "network" }),
      },
    );
    this.#chain = createChain({
      config,
      anchorState,
      ...(kept === null ? {} : { archive: kept.archive }),
      engine: this.#execution?.engine ?? noExecution,
      network: this.#chainNetwork(),
      // Blocks are built on the verified head.
      packTriggeredExits: (state) => this.#pool.pack(state, new Set()),
      protection: new SlashingProtection(options.dataDir === null ? null : join(options.dataDir, PROTECTION_FILE)),
      validators: validatorKeys(options.validators, genesisState.validators.length),
      clock,
      logger: log.child({ room: "chain" }),
    });
    this.#kept = kept;
    if (options.dataDir !== null) {
      const path = join(options.dataDir, FINALIZED_STATE_FILE);
      this.#stopSaving = saveFinalizedStates(this.#chain, path, log.child({ room: "chain" }));
    }
    this.#validator = operations.triggeredExit.createValidator({
      shardCommitteePeriodEpochs: config.SHARD_COMMITTEE_PERIOD,
      getViews: () => ({
        ...this.#chain.views(),
        synced: this.#chain.isSynced(),
        contract: this.#execution?.follower ?? null,
      }),
      clockEpoch: () => this.#chain.slots.currentEpoch,
    });
    this.#exits = new NodeExits({
      validator: this.#validator,
      pool: this.#pool,
      headView: () => this.#chain.views().head,
      publish: (ssz, evenIfSeen) =>
        this.#network.publish(operations.triggeredExit.topic, this.#forkDigest(), ssz, { evenIfSeen }),
      isSynced: () => this.#chain.isSynced(),
      penalize: (peerId, count) => {
        // A few blocks behind, such as where this machine is slow, the others know roots that we do not.
        if (this.#chain.isCurrent()) this.#network.penalize(peerId, "parkedExpired", count);
      },
      slotMs: config.SLOT_DURATION_MS,
      journal: kept?.journal ?? null,
      restored: kept?.restored ?? [],
      proveAgain: (exit) => this.#execution?.follower.proveAgain(exit) ?? null,
      onAccepted: (triggeredExit) => this.#api.tell({ topic: "triggered_exit", triggeredExit }),
      onEvent: deps.onEvent,
      clock,
      log,
    });
    this.#topics = new NodeTopics(
      config,
      {
        beaconBlock: (wireData, context) => this.#chain.onGossipBlock(wireData, context),
        triggeredExit: (wireData, context) => this.#exits.onGossip(wireData, context),
        attestation: (subnet) => (wireData, context) => this.#chain.onGossipAttestation(wireData, subnet, context),
      },
      this.#network,
    );
    this.#api = new NodeApi({
      chain: this.#chain,
      network: this.#network,
      pool: this.#pool,
      exits: this.#exits,
      isExecutionAvailable: () => this.#execution?.engine.isAvailable ?? false,
      attestationSubnets: this.#subnetCount,
    });
    this.#listenToChain();
  }

  get apiUrl(): string | null {
    return this.#server?.url ?? null;
  }

  async start(): Promise<void> {
    const { apiPort, apiHost } = this.#options;
    const version = clientVersion(this.#options.version);
    const { clock, log, onEvent } = this.#deps;
    const { slots } = this.#chain;
    this.#topics.update(slots.currentEpoch, this.#subnetCount);
    this.#toldDigest = this.#forkDigest();
    log.info({ ssz: sszHasherName, proofs: proofHasherName }, "hashing by hashtree is native, by noble portable");
    await this.#network.start();
    this.#metrics.onScrape(() => this.#measure());
    if (apiPort !== null) {
      const apiDeps = { backend: this.#api, metrics: this.#metrics, logger: log.child({ room: "api" }), clock };
      this.#server = await startApiServer({ host: apiHost, port: apiPort, version }, apiDeps);
    }
    slots.onSlot(() => this.#updateTopics());
    this.#chain.start();
    this.#cancelTimer = clock.every(HEARTBEAT_INTERVAL_MS, () => {
      this.#exits.sweep();
      this.#tellMesh();
    });
    onEvent({
      event: "ready",
      peerId: this.#network.peerId,
      multiaddrs: this.#network.multiaddrs(),
      topics: this.#network.topics(),
      forkDigest: this.#forkDigest(),
      apiUrl: this.apiUrl,
    });
  }

  async stop(): Promise<void> {
    this.#cancelTimer();
    this.#exits.stop();
    const parts = [this.#server?.stop(), this.#chain.stop(), this.#execution?.follower.stop(), this.#network.stop()];
    const outcomes = await Promise.allSettled(parts);
    // What is being written is written to its end, and nobody reads the archive any more.
    outcomes.push(...(await Promise.allSettled([this.#stopSaving(), this.#kept?.archive.close()])));
    this.#kept?.journal.close();
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        this.#deps.log.warn({ error: errorMessage(outcome.reason) }, "a part did not stop cleanly");
      }
    }
  }

  #chainNetwork(): Parameters<typeof createChain>[0]["network"] {
    return {
      publishBlock: async (forkDigest, ssz) => void (await this.#network.publish("beacon_block", forkDigest, ssz)),
      publishAttestation: async (subnet, forkDigest, ssz) =>
        void (await this.#network.publish(`beacon_attestation_${subnet}`, forkDigest, ssz)),
      requestBlocksByRange: (peerId, startSlot, count) => this.#network.requestBlocksByRange(peerId, startSlot, count),
      requestBlocksByRoot: (peerId, roots) => this.#network.requestBlocksByRoot(peerId, roots),
      requestStatus: (peerId) => this.#network.requestStatus(peerId),
      peerIds: () => this.#network.peers().map(({ peerId }) => peerId),
      reportPeer: (peerId, fault) => {
        this.#deps.log.info({ peerId, fault }, "a peer failed us in sync");
        // A failed request may be the network's fault; the others are lies.
        if (fault !== "REQUEST_FAILED") this.#network.disconnect(peerId, fault);
      },
    };
  }

  #listenToChain(): void {
    const { onEvent } = this.#deps;
    const { events } = this.#chain;
    events.on("block", ({ slot, root, payload, optimistic }) => {
      this.#exits.onBlockRoot(payload.messageBusRoot);
      onEvent({ event: "block", slot, blockRoot: root, optimistic });
      this.#api.tellBlock(slot, root, optimistic);
    });
    events.on("exit_initiated", ({ validatorIndex, pubkey, exitEpoch }) =>
      onEvent({ event: "exit_initiated", validatorIndex, pubkey: toHex(pubkey), exitEpoch }),
    );
    events.on("head", (event) => this.#onHead(event));
    events.on("verified", () => this.#exits.onHead());
    events.on("finalized", ({ epoch, root, slot, blocks }) => {
      onEvent({ event: "finalized", epoch, blockRoot: root });
      const payload = blocks.at(-1)?.payload;
      if (payload !== undefined) this.#execution?.follower.setFinalized(payload.blockHash);
      const { head, finalized } = this.#chain.views();
      this.#pool.onFinalized(finalized, head.roots);
      this.#metrics.setFinalizedSlot(slot);
      this.#api.tellFinalized(epoch, root);
    });
  }

  #onHead(event: HeadEvent): void {
    const { onEvent } = this.#deps;
    if (event.reorg !== null) {
      onEvent({ event: "reorg", slot: event.slot, depth: event.reorg.depth });
      this.#pool.onReorg(new Set(event.removed.map(({ root }) => root)));
    }
    for (const { root, slot, triggeredExits } of event.added) {
      if (triggeredExits.length === 0) continue;
      this.#pool.onBlockIncluded(
        { blockRoot: root, slot },
        triggeredExits.map(({ validatorIndex }) => validatorIndex),
      );
      onEvent({ event: "included", slot, blockRoot: root, pubkeys: triggeredExits.map(({ pubkey }) => toHex(pubkey)) });
    }
    this.#validator.onHead(this.#chain.views().head);
    this.#execution?.onHead(event, this.#chain.isSynced());
    this.#exits.onHead();
    this.#api.tellHead(event);
  }

  #forkDigest(): string {
    return computeForkDigestHex(this.#config, this.#chain.slots.currentEpoch);
  }

  /** With every slot: a node that slept over an epoch's first must not miss a fork. */
  #updateTopics(): void {
    const changed = this.#topics.update(this.#chain.slots.currentEpoch, this.#subnetCount);
    const forkDigest = this.#forkDigest();
    if (!changed && forkDigest === this.#toldDigest) return;
    this.#toldDigest = forkDigest;
    this.#deps.onEvent({ event: "topics", topics: this.#network.topics(), forkDigest });
  }

  #tellMesh(): void {
    for (const topic of MESH_TOPICS) {
      const peers = this.#network.meshPeerCount(topic, this.#forkDigest());
      if (peers === (this.#toldMesh.get(topic) ?? 0)) continue;
      this.#toldMesh.set(topic, peers);
      this.#deps.onEvent({ event: "mesh", topic, peers });
    }
  }

  /** Sets the gauges that nobody pushes. */
  #measure(): void {
    const metrics = this.#metrics;
    metrics.setPoolSize(this.#pool.size);
    metrics.setParked(this.#exits.parkedCount);
    measureNetwork(metrics, this.#network);
    for (const topic of MESH_TOPICS) {
      metrics.setMeshPeers(topic, this.#network.meshPeerCount(topic, this.#forkDigest()));
    }
    metrics.setHeadSlot(this.#chain.head.slot);
    metrics.setExecutionAvailable(this.#execution?.engine.isAvailable ?? false);
  }
}

function validatorKeys(indices: readonly number[], validatorCount: number) {
  const unknown = indices.find((index) => index >= validatorCount);
  if (unknown !== undefined) {
    throw new CodedError(
      "UNKNOWN_VALIDATOR",
      `--validators names validator ${unknown}, and the network has ${validatorCount}: give indices up to ${validatorCount - 1}`,
      { index: unknown, validatorCount },
    );
  }
  return new Map(indices.map((index) => [index, getInteropKey(index).secretKey]));
}
