/**
 * A node on fixed views: states from files, the protocol's time held, no chain and no execution layer. Gossip, verdicts,
 * pool and API are those of every node. For fuzzing, for conformance tests over the wire, for debugging.
 */
import { readFile, stat } from "node:fs/promises";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { isZero } from "./base/bytes.ts";
import { CodedError, errorMessage } from "./base/errors.ts";
import { createIdentity, loadIdentity } from "./network/identity.ts";
import { backendWithoutBlocks, type StatusMessage } from "./network/network.ts";
import type { ApiChain } from "./node_api.ts";
import { NodeCore, type NodeCoreOptions, type NodeDeps, type RunningNode, startOrStop } from "./node_core.ts";
import { computeForkDigestHex, type MessageBusBeaconConfig } from "./spec/config.ts";
import { type CachedState, isMessageBusState, loadState } from "./state/beacon_state.ts";
import { readNetworkDir } from "./state/network_dir.ts";
import { standardConfigOf } from "./state/standard_config.ts";
import { createStateView } from "./state/view.ts";
import { operations } from "./validation/operations.ts";
import { decompressSnappyBlock, readDeclaredSize } from "./validation/snappy_block.ts";

export interface FixedNodeOptions extends NodeCoreOptions {
  /** A directory that `msgbus genesis` wrote; null takes the preset's standard configuration, and the state's own fork. */
  readonly networkDir: string | null;
  /** SSZ, or a snappy block of it where the name ends in `.ssz_snappy`. */
  readonly stateFile: string;
  /** Null: the head's state is final. */
  readonly finalizedStateFile: string | null;
  /** Unix time that the protocol's clock stands at; null is the start of the head state's slot. */
  readonly timeMs: number | null;
}

export interface RunningFixedNode extends RunningNode {
  /** Moves the protocol's clock; topics stay those of the start. */
  holdTimeAt(unixMs: number): void;
}

/** A state file's bytes: ten times a mainnet state of one million validators. Protects memory from a wrong file. */
const MAX_STATE_BYTES = 2 ** 31;

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
  const chain = new FixedChain(config, head, finalized, options.timeMs);
  return startOrStop(new FixedNode(options, deps, chain, privateKey, bootnodes));
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
    if (isZero(header.stateRoot)) header.stateRoot = this.#head.hashTreeRoot();
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
  readonly #chain: FixedChain;
  readonly #core: NodeCore;

  constructor(
    options: FixedNodeOptions,
    deps: NodeDeps,
    chain: FixedChain,
    privateKey: Uint8Array,
    bootnodes: readonly string[],
  ) {
    const { config, views } = chain;
    const { topic: name } = operations.triggeredExit;
    const forkDigest = computeForkDigestHex(config, chain.epoch);
    const status = chain.status();
    this.#chain = chain;
    this.#core = new NodeCore(options, deps, {
      privateKey,
      bootnodes,
      forkDigests: [forkDigest],
      forkDigest: () => forkDigest,
      meshTopics: [name],
      attestationSubnets: 0,
      chain,
      backend: backendWithoutBlocks(() => status),
      exits: {
        validator: operations.triggeredExit.createValidator({
          shardCommitteePeriodEpochs: config.SHARD_COMMITTEE_PERIOD,
          getViews: () => ({ ...views, synced: true, contract: null }),
          clockEpoch: () => chain.epoch,
        }),
        headView: () => views.head,
        journal: null,
        restored: [],
        proveAgain: () => null,
      },
      mayPenalize: () => true,
      isExecutionAvailable: () => false,
    });
    this.#core.network.subscribe({
      name,
      forkDigest,
      handler: (wireData, context) => this.#core.exits.onGossip(wireData, context),
    });
  }

  get apiUrl(): string | null {
    return this.#core.apiUrl;
  }

  async start(): Promise<void> {
    await this.#core.start();
    this.#core.tellReady();
  }

  holdTimeAt(unixMs: number): void {
    this.#chain.holdTimeAt(unixMs);
  }

  stop(): Promise<void> {
    return this.#core.stop();
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
