/** Wires the rooms into one node: the only file that knows them all, beside what every kind of node has in `node_core.ts`. */
import { join } from "node:path";
import { toHex } from "@lodestar/utils";
import { CodedError } from "./base/errors.ts";
import { subnetsInUse } from "./chain/attestations.ts";
import { type Chain, createChain } from "./chain/chain.ts";
import type { HeadEvent } from "./chain/events.ts";
import { loadFinalizedState, saveFinalizedStates } from "./chain/finalized_state.ts";
import { LevelArchive } from "./chain/level_archive.ts";
import { SlashingProtection } from "./chain/slashing_protection.ts";
import { noExecution } from "./execution/no_execution.ts";
import { createIdentity, loadIdentity } from "./network/identity.ts";
import { NodeCore, type NodeCoreOptions, type NodeDeps, type RunningNode, settle, startOrStop } from "./node_core.ts";
import { NodeExecution } from "./node_execution.ts";
import { NodeTopics, scheduledForkDigests } from "./node_topics.ts";
import { type JournalRecord, PoolJournal } from "./pool/journal.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "./spec/config.ts";
import type { CachedState } from "./state/beacon_state.ts";
import { getInteropKey } from "./state/interop_keys.ts";
import { readNetworkDir } from "./state/network_dir.ts";
import { operations } from "./validation/operations.ts";
import type { TriggeredExitValidator } from "./validation/triggered_exit.ts";

export interface NodeOptions extends NodeCoreOptions {
  /** A directory that `msgbus genesis` wrote. */
  readonly networkDir: string;
  /** Null: this node verifies no payload, builds none, and forms no operations. */
  readonly elUrl: string | null;
  /** Indices of the validators (interop keys) that this node runs. */
  readonly validators: readonly number[];
}

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
  return startOrStop(await Node.create(options, deps));
}

class Node implements RunningNode {
  readonly #deps: NodeDeps;
  readonly #config: MessageBusBeaconConfig;
  readonly #chain: Chain;
  readonly #core: NodeCore;
  readonly #execution: NodeExecution | null;
  readonly #validator: TriggeredExitValidator;
  readonly #topics: NodeTopics;
  readonly #subnetCount: number;
  readonly #kept: Kept | null;
  #stopSaving: () => Promise<void> = async () => {};
  #toldDigest = "";

  static async create(options: NodeOptions, deps: NodeDeps): Promise<Node> {
    const networkDir = await readNetworkDir(options.networkDir);
    const { dataDir } = options;
    if (dataDir === null) return new Node(options, deps, networkDir, (await createIdentity()).privateKey, null);
    const { privateKey } = await loadIdentity(dataDir);
    const anchorState = await loadFinalizedState(networkDir.genesisState, join(dataDir, FINALIZED_STATE_FILE));
    await using opened = new AsyncDisposableStack();
    const archive = opened.adopt(await LevelArchive.open(join(dataDir, ARCHIVE_DIR)), (open) => open.close());
    const { journal, records: restored } = PoolJournal.open(dataDir, deps.log.child({ room: "pool" }));
    opened.defer(() => journal.close());
    const node = new Node(options, deps, networkDir, privateKey, { anchorState, archive, journal, restored });
    // From here on the node closes them.
    opened.move();
    return node;
  }

  private constructor(
    options: NodeOptions,
    deps: NodeDeps,
    { config, genesisState, bootnodes, deployBlock }: Awaited<ReturnType<typeof readNetworkDir>>,
    privateKey: Uint8Array,
    kept: Kept | null,
  ) {
    const { clock, log } = deps;
    const { dataDir, elUrl } = options;
    const anchorState = kept?.anchorState ?? genesisState;
    this.#deps = deps;
    this.#config = config;
    this.#kept = kept;
    this.#subnetCount = subnetsInUse(genesisState);
    const anchorHash = anchorState.latestExecutionPayloadHeader.blockHash;
    this.#execution =
      elUrl === null
        ? null
        : new NodeExecution({ elUrl, config, deployBlock, anchorHash }, deps, (operation, origin) =>
            this.#core.exits.onFormed(operation, origin),
          );
    this.#chain = createChain({
      config,
      anchorState,
      ...(kept === null ? {} : { archive: kept.archive }),
      engine: this.#execution?.engine ?? noExecution,
      network: this.#chainNetwork(),
      // Blocks are built on the verified head.
      packTriggeredExits: (state) => this.#core.pool.pack(state, new Set()),
      protection: new SlashingProtection(dataDir === null ? null : join(dataDir, PROTECTION_FILE)),
      validators: validatorKeys(options.validators, genesisState.validators.length),
      clock,
      logger: log.child({ room: "chain" }),
    });
    if (dataDir !== null) {
      const path = join(dataDir, FINALIZED_STATE_FILE);
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
    this.#core = new NodeCore(options, deps, {
      privateKey,
      bootnodes,
      forkDigests: scheduledForkDigests(config),
      forkDigest: () => this.#forkDigest(),
      meshTopics: ["beacon_block", operations.triggeredExit.topic],
      attestationSubnets: this.#subnetCount,
      chain: this.#chain,
      backend: {
        getStatus: () => this.#chain.status(),
        onStatus: (peerId, status) => this.#chain.onStatus(peerId, status),
        onPeerGone: (peerId) => this.#chain.onPeerGone(peerId),
        getBlocksByRange: (startSlot, count) => this.#chain.blocksByRange(startSlot, count),
        getBlocksByRoot: (roots) => this.#chain.blocksByRoot(roots),
      },
      exits: {
        validator: this.#validator,
        headView: () => this.#chain.views().head,
        journal: kept?.journal ?? null,
        restored: kept?.restored ?? [],
        proveAgain: (exit) => this.#execution?.follower.proveAgain(exit) ?? null,
      },
      // A few blocks behind, such as where this machine is slow, the others know roots that we do not.
      mayPenalize: () => this.#chain.isCurrent(),
      isExecutionAvailable: () => this.#execution?.engine.isAvailable ?? false,
    });
    this.#topics = new NodeTopics(
      config,
      {
        beaconBlock: (wireData, context) => this.#chain.onGossipBlock(wireData, context),
        triggeredExit: (wireData, context) => this.#core.exits.onGossip(wireData, context),
        attestation: (subnet) => (wireData, context) => this.#chain.onGossipAttestation(wireData, subnet, context),
      },
      this.#core.network,
    );
    this.#listenToChain();
  }

  get apiUrl(): string | null {
    return this.#core.apiUrl;
  }

  async start(): Promise<void> {
    const { slots } = this.#chain;
    this.#topics.update(slots.currentEpoch, this.#subnetCount);
    this.#toldDigest = this.#forkDigest();
    await this.#core.start();
    slots.onSlot(() => this.#updateTopics());
    this.#chain.start();
    this.#core.tellReady();
  }

  async stop(): Promise<void> {
    const { log } = this.#deps;
    await settle(log, [this.#core.stop(), this.#chain.stop(), this.#execution?.follower.stop()]);
    // What is being written is written to its end, and nobody reads the archive any more.
    await settle(log, [this.#stopSaving(), this.#kept?.archive.close()]);
    this.#kept?.journal.close();
  }

  #chainNetwork(): Parameters<typeof createChain>[0]["network"] {
    return {
      publishBlock: async (forkDigest, ssz) => void (await this.#core.network.publish("beacon_block", forkDigest, ssz)),
      publishAttestation: async (subnet, forkDigest, ssz) =>
        void (await this.#core.network.publish(`beacon_attestation_${subnet}`, forkDigest, ssz)),
      requestBlocksByRange: (peerId, startSlot, count) =>
        this.#core.network.requestBlocksByRange(peerId, startSlot, count),
      requestBlocksByRoot: (peerId, roots) => this.#core.network.requestBlocksByRoot(peerId, roots),
      requestStatus: (peerId) => this.#core.network.requestStatus(peerId),
      peerIds: () => this.#core.network.peers().map(({ peerId }) => peerId),
      reportPeer: (peerId, fault) => {
        this.#deps.log.info({ peerId, fault }, "a peer failed us in sync");
        // A failed request may be the network's fault; the others are lies.
        if (fault !== "REQUEST_FAILED") this.#core.network.disconnect(peerId, fault);
      },
    };
  }

  #listenToChain(): void {
    const { onEvent } = this.#deps;
    const { events } = this.#chain;
    events.on("block", ({ slot, root, payload, optimistic }) => {
      this.#core.exits.onBlockRoot(payload.messageBusRoot);
      onEvent({ event: "block", slot, blockRoot: root, optimistic });
      this.#core.api.tellBlock(slot, root, optimistic);
    });
    events.on("exit_initiated", ({ validatorIndex, pubkey, exitEpoch }) =>
      onEvent({ event: "exit_initiated", validatorIndex, pubkey: toHex(pubkey), exitEpoch }),
    );
    events.on("head", (event) => this.#onHead(event));
    events.on("verified", () => this.#core.exits.onHead());
    events.on("finalized", ({ epoch, root, slot, blocks }) => {
      onEvent({ event: "finalized", epoch, blockRoot: root });
      const payload = blocks.at(-1)?.payload;
      if (payload !== undefined) this.#execution?.follower.setFinalized(payload.blockHash);
      const { head, finalized } = this.#chain.views();
      this.#core.pool.onFinalized(finalized, head.roots);
      this.#core.metrics.setFinalizedSlot(slot);
      this.#core.api.tellFinalized(epoch, root);
    });
  }

  #onHead(event: HeadEvent): void {
    const { onEvent } = this.#deps;
    if (event.reorg !== null) {
      onEvent({ event: "reorg", slot: event.slot, depth: event.reorg.depth });
      this.#core.pool.onReorg(new Set(event.removed.map(({ root }) => root)));
    }
    for (const { root, slot, triggeredExits } of event.added) {
      if (triggeredExits.length === 0) continue;
      this.#core.pool.onBlockIncluded(
        { blockRoot: root, slot },
        triggeredExits.map(({ validatorIndex }) => validatorIndex),
      );
      onEvent({ event: "included", slot, blockRoot: root, pubkeys: triggeredExits.map(({ pubkey }) => toHex(pubkey)) });
    }
    this.#validator.onHead(this.#chain.views().head);
    this.#execution?.onHead(event, this.#chain.isSynced());
    this.#core.exits.onHead();
    this.#core.api.tellHead(event);
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
    this.#deps.onEvent({ event: "topics", topics: this.#core.network.topics(), forkDigest });
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
