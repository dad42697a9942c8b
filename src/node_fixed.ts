/**
 * A node on fixed views: states from files, the protocol's time held, no chain and no execution layer. Gossip, verdicts,
 * pool and API are those of every node. For fuzzing, for conformance tests over the wire, for debugging.
 */
import { readFile, stat } from "node:fs/promises";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { createMetrics } from "./api/metrics.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { CancelTimer } from "./base/clock.ts";
import { CodedError, errorMessage } from "./base/errors.ts";
import { createNetwork } from "./network/create_network.ts";
import { HEARTBEAT_INTERVAL_MS } from "./network/gossip.ts";
import { createIdentity, loadIdentity } from "./network/identity.ts";
import type { Network, StatusMessage } from "./network/network.ts";
import type { NodeDeps, RunningNode } from "./node.ts";
import { type ApiChain, clientVersion, NodeApi } from "./node_api.ts";
import { NodeExits } from "./node_exits.ts";
import { measureNetwork } from "./node_metrics.ts";
import { TriggeredExitPool } from "./pool/triggered_exits.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "./spec/config.ts";
import { type CachedState, isMessageBusState, loadState } from "./state/beacon_state.ts";
import { readNetworkDir } from "./state/network_dir.ts";
import { standardConfigOf } from "./state/standard_config.ts";
import { createStateView } from "./state/view.ts";
import { operations } from "./validation/operations.ts";
import { decompressSnappyBlock, readDeclaredSize } from "./validation/snappy_block.ts";

export interface FixedNodeOptions {
  /** A directory that `msgbus genesis` wrote; null takes the preset's standard configuration, and the state's own fork. */
  readonly networkDir: string | null;
  /** SSZ, or a snappy block of it where the name ends in `.ssz_snappy`. */
  readonly stateFile: string;
  /** Null: the head's state is final. */
  readonly finalizedStateFile: string | null;
  /** Unix time that the protocol's clock stands at; null is the start of the head state's slot. */
  readonly timeMs: number | null;
  /** Keeps the identity; null makes a new one. */
  readonly dataDir: string | null;
  /** Peer ids that the peer guard never hangs up. */
  readonly exemptPeers?: readonly string[];
  /** Address ranges (CIDR) where many peers share an address, as they do on loopback. */
  readonly testNetworks?: readonly string[];
  /** Multiaddrs. */
  readonly listen: readonly string[];
  /** Multiaddrs with peer ids. */
  readonly bootnodes: readonly string[];
  /** Null serves no API; 0 takes any free port. */
  readonly apiPort: number | null;
  readonly apiHost: string;
  readonly version: string;
}

export interface RunningFixedNode extends RunningNode {
  /** Moves the protocol's clock; topics stay those of the start. */
  holdTimeAt(unixMs: number): void;
}

/** A state file's bytes: ten times a mainnet state of one million validators. Protects memory from a wrong file. */
const MAX_STATE_BYTES = 2 ** 31;

const TOPIC = operations.triggeredExit.topic;

/**
 * @throws CodedError: `STATE_UNREADABLE`, `STATE_INVALID` (no snappy block), `WRONG_NETWORK`, `BAD_TIME`, those of
 * `loadState`, `readNetworkDir` and of the network.
 */
export async function startFixedNode(options: FixedNodeOptions, deps: NodeDeps): Promise<RunningFixedNode> {
  const stateBytes = await readStateFile(options.stateFile);
  const { config, bootnodes } = await readConfig(options, stateBytes);
  const head = loadStateFile(config, options.stateFile, stateBytes);
  const { finalizedStateFile, dataDir } = options;
  const finalized =
    finalizedStateFile === null
      ? head
      : loadStateFile(config, finalizedStateFile, await readStateFile(finalizedStateFile));
  const { privateKey } = dataDir === null ? await createIdentity() : await loadIdentity(dataDir);
  const node = new FixedNode(
    { ...options, bootnodes: [...bootnodes, ...options.bootnodes] },
    deps,
    new FixedChain(config, head, finalized, options.timeMs),
    privateKey,
  );
  try {
    await node.start();
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** What the API and the validator ask a chain, answered from two states. */
class FixedChain implements ApiChain {
  readonly config: MessageBusBeaconConfig;
  readonly slots: { readonly currentSlot: number };
  readonly head: { readonly slot: number; readonly optimistic: boolean };
  readonly views;
  readonly #head: CachedState;
  readonly #finalized: CachedState;
  #timeMs: number;

  constructor(config: MessageBusBeaconConfig, head: CachedState, finalized: CachedState, timeMs: number | null) {
    this.config = config;
    this.head = { slot: head.slot, optimistic: false };
    this.#head = head;
    this.#finalized = finalized;
    const headView = createStateView(head);
    this.views = { head: headView, finalized: finalized === head ? headView : createStateView(finalized) };
    this.#timeMs = timeMs ?? head.genesisTime * 1000 + head.slot * config.SLOT_DURATION_MS;
    const chain = this;
    this.slots = {
      get currentSlot() {
        return Math.floor((chain.#timeMs - head.genesisTime * 1000) / config.SLOT_DURATION_MS);
      },
    };
    if (this.epoch < config.MESSAGE_BUS_FORK_EPOCH) {
      throw new CodedError(
        "BAD_TIME",
        `At ${this.#timeMs} ms the clock is in epoch ${this.epoch}, before the fork (${config.MESSAGE_BUS_FORK_EPOCH}): give a later --time-ms`,
        { epoch: this.epoch, forkEpoch: config.MESSAGE_BUS_FORK_EPOCH },
      );
    }
  }

  get epoch(): number {
    return Math.floor(this.slots.currentSlot / SLOTS_PER_EPOCH);
  }

  holdTimeAt(unixMs: number): void {
    this.#timeMs = unixMs;
  }

  isSynced(): boolean {
    return true;
  }

  async getBlock(): Promise<null> {
    return null;
  }

  getState(id: Parameters<ApiChain["getState"]>[0]): CachedState | null {
    if (id === "head" || id === this.#head.slot) return this.#head;
    if (id === "finalized" || id === this.#finalized.slot) return this.#finalized;
    return null;
  }

  status(): StatusMessage {
    const { slot, latestBlockHeader } = this.#head;
    const header = latestBlockHeader.clone();
    // A state has the root of itself in its own header only after the next slot.
    if (header.stateRoot.every((byte) => byte === 0)) header.stateRoot = this.#head.hashTreeRoot();
    return {
      forkDigest: Uint8Array.from(Buffer.from(computeForkDigestHex(this.config, this.epoch), "hex")),
      finalizedRoot: this.#head.finalizedCheckpoint.root,
      finalizedEpoch: this.#head.finalizedCheckpoint.epoch,
      headRoot: header.hashTreeRoot(),
      headSlot: slot,
      earliestAvailableSlot: slot,
    };
  }
}

class FixedNode implements RunningFixedNode {
  readonly #options: FixedNodeOptions;
  readonly #deps: NodeDeps;
  readonly #chain: FixedChain;
  readonly #forkDigest: string;
  readonly #network: Network;
  readonly #exits: NodeExits;
  readonly #api: NodeApi;
  readonly #metrics = createMetrics();
  readonly #pool = new TriggeredExitPool();
  #server: ApiServer | null = null;
  #cancelTimer: CancelTimer = () => {};
  #toldMesh = 0;

  constructor(options: FixedNodeOptions, deps: NodeDeps, chain: FixedChain, privateKey: Uint8Array) {
    const { clock, random, log, onEvent } = deps;
    const { config, views } = chain;
    this.#options = options;
    this.#deps = deps;
    this.#chain = chain;
    this.#forkDigest = computeForkDigestHex(config, chain.epoch);
    const status = chain.status();
    this.#network = createNetwork(
      {
        privateKey,
        listen: options.listen,
        bootnodes: options.bootnodes,
        version: options.version,
        slotMs: config.SLOT_DURATION_MS,
        slotsPerEpoch: SLOTS_PER_EPOCH,
        forkDigests: [this.#forkDigest],
        dataDir: options.dataDir,
        exemptPeers: options.exemptPeers ?? [],
        testNetworks: options.testNetworks ?? [],
      },
      {
        backend: {
          getStatus: () => status,
          onStatus: () => {},
          async *getBlocksByRange() {},
          async *getBlocksByRoot() {},
        },
        onVerdict: ({ topic, verdict, elapsedMs }) => this.#metrics.observeVerdict(topic, verdict, elapsedMs),
        clock,
        random,
        log: log.child({ room: "network" }),
      },
    );
    this.#exits = new NodeExits({
      validator: operations.triggeredExit.createValidator({
        shardCommitteePeriodEpochs: config.SHARD_COMMITTEE_PERIOD,
        getViews: () => ({ ...views, synced: true, contract: null }),
        clockEpoch: () => chain.epoch,
      }),
      pool: this.#pool,
      headView: () => views.head,
      publish: (ssz, evenIfSeen) => this.#network.publish(TOPIC, this.#forkDigest, ssz, { evenIfSeen }),
      isSynced: () => true,
      penalize: (peerId, count) => this.#network.penalize(peerId, "parkedExpired", count),
      slotMs: config.SLOT_DURATION_MS,
      journal: null,
      restored: [],
      proveAgain: () => null,
      onAccepted: (triggeredExit) => this.#api.tell({ topic: TOPIC, triggeredExit }),
      onEvent,
      clock,
      log,
    });
    this.#api = new NodeApi({
      chain,
      network: this.#network,
      pool: this.#pool,
      exits: this.#exits,
      isExecutionAvailable: () => false,
      attestationSubnets: 0,
    });
    this.#network.subscribe({
      name: TOPIC,
      forkDigest: this.#forkDigest,
      handler: (wireData, context) => this.#exits.onGossip(wireData, context),
    });
  }

  get apiUrl(): string | null {
    return this.#server?.url ?? null;
  }

  async start(): Promise<void> {
    const { apiPort, apiHost } = this.#options;
    const version = clientVersion(this.#options.version);
    const { clock, log, onEvent } = this.#deps;
    await this.#network.start();
    this.#metrics.onScrape(() => {
      this.#metrics.setPoolSize(this.#pool.size);
      this.#metrics.setParked(this.#exits.parkedCount);
      measureNetwork(this.#metrics, this.#network);
      this.#metrics.setMeshPeers(TOPIC, this.#network.meshPeerCount(TOPIC, this.#forkDigest));
      this.#metrics.setHeadSlot(this.#chain.head.slot);
    });
    if (apiPort !== null) {
      const apiDeps = { backend: this.#api, metrics: this.#metrics, logger: log.child({ room: "api" }), clock };
      this.#server = await startApiServer({ host: apiHost, port: apiPort, version }, apiDeps);
    }
    this.#cancelTimer = clock.every(HEARTBEAT_INTERVAL_MS, () => {
      this.#exits.sweep();
      this.#tellMesh();
    });
    onEvent({
      event: "ready",
      peerId: this.#network.peerId,
      multiaddrs: this.#network.multiaddrs(),
      topics: this.#network.topics(),
      forkDigest: this.#forkDigest,
      apiUrl: this.apiUrl,
    });
  }

  holdTimeAt(unixMs: number): void {
    this.#chain.holdTimeAt(unixMs);
  }

  #tellMesh(): void {
    const peers = this.#network.meshPeerCount(TOPIC, this.#forkDigest);
    if (peers === this.#toldMesh) return;
    this.#toldMesh = peers;
    this.#deps.onEvent({ event: "mesh", topic: TOPIC, peers });
  }

  async stop(): Promise<void> {
    this.#cancelTimer();
    this.#exits.stop();
    for (const outcome of await Promise.allSettled([this.#server?.stop(), this.#network.stop()])) {
      if (outcome.status === "rejected") {
        this.#deps.log.warn({ error: errorMessage(outcome.reason) }, "a part did not stop cleanly");
      }
    }
  }
}

async function readConfig({ networkDir, stateFile }: FixedNodeOptions, stateBytes: Uint8Array) {
  if (networkDir !== null) return readNetworkDir(networkDir);
  return { config: naming(stateFile, () => standardConfigOf(stateBytes)), bootnodes: [] };
}

async function readStateFile(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > MAX_STATE_BYTES) throw new Error(`${size} bytes are more than any state has`);
    bytes = await readFile(file);
  } catch (error) {
    throw new CodedError("STATE_UNREADABLE", `Cannot read ${file}: ${errorMessage(error)}`, { file }, error);
  }
  if (!file.endsWith(".ssz_snappy")) return bytes;
  const declaredSize = readDeclaredSize(bytes);
  const isSane = declaredSize !== null && declaredSize <= MAX_STATE_BYTES;
  const decompressed = isSane ? decompressSnappyBlock(bytes) : null;
  if (decompressed === null) {
    throw new CodedError(
      "STATE_INVALID",
      `${file} is no snappy block: an uncompressed state's name must not end in .ssz_snappy`,
      { file },
    );
  }
  return decompressed;
}

function loadStateFile(config: MessageBusBeaconConfig, file: string, bytes: Uint8Array): CachedState {
  const state = naming(file, () => loadState(config, bytes));
  if (!isMessageBusState(state)) {
    throw new CodedError("WRONG_FORK", `${file} is a state from before the message-bus fork`, { file });
  }
  const { genesisValidatorsRoot } = config;
  if (Buffer.compare(state.genesisValidatorsRoot, genesisValidatorsRoot) !== 0) {
    throw new CodedError(
      "WRONG_NETWORK",
      `${file} is a state of another network: its genesis_validators_root differs from the one of the network or head`,
      { file },
    );
  }
  return state;
}

/** Names the file in what goes wrong with it. */
function naming<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof CodedError) {
      throw new CodedError(error.code, `${file}: ${error.message}`, { ...error.fields, file }, error);
    }
    throw new CodedError("STATE_INVALID", `${file} cannot be used: ${errorMessage(error)}`, { file }, error);
  }
}
