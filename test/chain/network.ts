/** Chains of several nodes in one process, on one manual clock, over a network that a test can cut. */
import { compressSync } from "snappy";
import { CodedError } from "../../src/base/errors.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import type { BlockArchive } from "../../src/chain/archive.ts";
import { type Chain, createChain } from "../../src/chain/chain.ts";
import type { ChainNetwork, PeerStatus, SyncFault, WireBlock } from "../../src/chain/ports.ts";
import { SlashingProtection } from "../../src/chain/slashing_protection.ts";
import {
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  type MessageBusBeaconConfig,
} from "../../src/spec/config.ts";
import type { TriggeredExit } from "../../src/spec/types.ts";
import { type CachedBeaconStateMessageBus, type CachedState, loadState } from "../../src/state/beacon_state.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { getInteropKeys } from "../../src/state/interop_keys.ts";
import { ManualClock } from "./manual_clock.ts";
import { ExecutionWorld, MemoryEngine } from "./memory_execution.ts";

export const GENESIS_TIME_S = 1_700_000_000;
export const SLOT_MS = 2000;
export const VALIDATORS = 64;
export const KEYS = getInteropKeys(VALIDATORS);

/** Turns of the event loop without anything under way, after which nothing more will happen by itself. */
const QUIET_TURNS = 4;
/** Real time, for a test that would hang. */
const SETTLE_DEADLINE_MS = 60_000;

export function withdrawalAddress(validatorIndex: number): Uint8Array {
  return new Uint8Array(20).fill(validatorIndex + 1);
}

export function createGenesis(
  world: ExecutionWorld,
  forkEpoch = 0,
): { config: MessageBusBeaconConfig; state: CachedState } {
  const validators = KEYS.map(({ pubkey }, i) => {
    const withdrawalCredentials = new Uint8Array(32);
    withdrawalCredentials[0] = 1 + (i % 2);
    withdrawalCredentials.set(withdrawalAddress(i), 12);
    return { pubkey, withdrawalCredentials };
  });
  return createGenesisState(
    {
      chain: {
        ...FORKS_AT_GENESIS,
        SHARD_COMMITTEE_PERIOD: 0,
        SLOT_DURATION_MS: SLOT_MS,
        SECONDS_PER_SLOT: SLOT_MS / 1000,
      },
      messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: forkEpoch },
    },
    { validators, genesisTime: GENESIS_TIME_S, latestPayload: world.genesisPayload },
  );
}

export interface GossipRecord {
  readonly from: string;
  readonly to: string;
  readonly kind: "block" | "attestation";
  readonly result: string;
  readonly code: string;
}

export class TestNode {
  readonly id: string;
  readonly engine: MemoryEngine;
  readonly chain: Chain;
  /** What the pool would offer: tried in this order. */
  exits: TriggeredExit[] = [];
  /** Others' Status and gossip do not reach it while false. */
  online = true;
  /** Nodes of different groups do not hear each other. */
  group = 0;

  constructor(
    network: TestNetwork,
    id: string,
    validatorIndices: number[],
    options: { protectionPath?: string | null; logger?: Logger; anchorState?: CachedState; archive?: BlockArchive },
  ) {
    this.id = id;
    this.engine = new MemoryEngine(network.world);
    this.chain = createChain({
      config: network.config,
      // Each node has caches of its own, as in a process of its own.
      anchorState: options.anchorState ?? loadState(network.config, network.genesisState.serialize()),
      engine: this.engine,
      network: network.portOf(this),
      packTriggeredExits: (state) => this.pack(state),
      protection: new SlashingProtection(options.protectionPath ?? null),
      validators: new Map(validatorIndices.map((i) => [i, (KEYS[i] as (typeof KEYS)[0]).secretKey])),
      clock: network.clock,
      logger: options.logger ?? silentLogger,
      ...(options.archive === undefined ? {} : { archive: options.archive }),
    });
  }

  /** Those that the state does not know as exiting; the real pool's rules are tested with it. */
  private pack(state: CachedBeaconStateMessageBus): TriggeredExit[] {
    return this.exits.filter(({ data: { pubkey } }) => {
      const index = state.epochCtx.pubkeyCache.getIndex(pubkey);
      return index !== null && state.validators.getReadonly(index).exitEpoch === Number.POSITIVE_INFINITY;
    });
  }
}

export class TestNetwork {
  readonly clock = new ManualClock(GENESIS_TIME_S * 1000 - 500);
  readonly world = new ExecutionWorld();
  readonly config: MessageBusBeaconConfig;
  readonly genesisState: CachedState;
  readonly nodes: TestNode[] = [];
  readonly gossip: GossipRecord[] = [];
  readonly faults: { peerId: string; fault: SyncFault }[] = [];
  private underWay = 0;

  constructor(forkEpoch = 0) {
    const { config, state } = createGenesis(this.world, forkEpoch);
    this.config = config;
    this.genesisState = state;
  }

  /** Nodes that share the validators evenly. */
  static withNodes(count: number, forkEpoch = 0): TestNetwork {
    const network = new TestNetwork(forkEpoch);
    const share = VALIDATORS / count;
    for (let i = 0; i < count; i++) {
      network.addNode(Array.from({ length: share }, (_, j) => i * share + j));
    }
    return network;
  }

  addNode(validatorIndices: number[], options: ConstructorParameters<typeof TestNode>[3] = {}): TestNode {
    const node = new TestNode(this, `node${this.nodes.length}`, validatorIndices, options);
    this.nodes.push(node);
    node.chain.start();
    return node;
  }

  /** Runs the clock to the end of `slots` slots, letting everything settle after each event. */
  async run(slots: number): Promise<void> {
    for (let i = 0; i < slots; i++) {
      const { slots: clock } = (this.nodes[0] as TestNode).chain;
      const nextMs = clock.slotStartMs(clock.currentSlot + 1);
      for (const atMs of [nextMs, nextMs + clock.attestationDueMs, nextMs + SLOT_MS - 1]) {
        this.clock.advanceTo(atMs);
        await this.settle();
      }
    }
  }

  /** Until nothing happens without the clock; attestations that wait for their block do wait for it. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLE_DEADLINE_MS;
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.underWay === 0 ? quiet + 1 : 0;
      if (performance.now() > deadline) throw new Error("The network did not settle");
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ chain }) => chain.stop()));
  }

  /** Tells a node of another's head, as their Status exchange would. */
  introduce(node: TestNode, peer: TestNode): void {
    node.chain.onStatus(peer.id, peer.chain.status());
  }

  /** Hands raw gossip to a node as if from `from`. */
  async deliver(
    kind: GossipRecord["kind"],
    from: string,
    to: TestNode,
    forkDigest: string,
    wire: Uint8Array,
    subnet = 0,
  ) {
    const verdict =
      kind === "block"
        ? to.chain.onGossipBlock(wire, { forkDigest, peerId: from })
        : await to.chain.onGossipAttestation(wire, subnet, { forkDigest });
    this.gossip.push({ from, to: to.id, kind, ...verdict });
    return verdict;
  }

  portOf(node: TestNode): ChainNetwork {
    const others = () => this.nodes.filter((other) => other !== node && this.areLinked(node, other));
    const ask = async <T>(peerId: string, run: (peer: TestNode) => Promise<T>): Promise<T> => {
      const peer = others().find(({ id }) => id === peerId);
      if (peer === undefined) throw new CodedError("REQUEST_FAILED", `${peerId} is not connected`);
      return this.track(run(peer));
    };
    const publish = async (kind: GossipRecord["kind"], forkDigest: string, ssz: Uint8Array, subnet: number) => {
      const wire = compressSync(ssz);
      // Not awaited, as a real publish does not wait for the others' verdicts.
      for (const other of others())
        setImmediate(() => void this.deliver(kind, node.id, other, forkDigest, wire, subnet));
    };
    return {
      publishBlock: (forkDigest, ssz) => publish("block", forkDigest, ssz, 0),
      publishAttestation: (subnet, forkDigest, ssz) => publish("attestation", forkDigest, ssz, subnet),
      requestBlocksByRange: (peerId, startSlot, count) =>
        ask(peerId, (peer) => collect(peer.chain.blocksByRange(startSlot, count))),
      requestBlocksByRoot: (peerId, roots) => ask(peerId, (peer) => collect(peer.chain.blocksByRoot(roots))),
      requestStatus: (peerId): Promise<PeerStatus> => ask(peerId, async (peer) => peer.chain.status()),
      peerIds: () => others().map(({ id }) => id),
      reportPeer: (peerId, fault) => this.faults.push({ peerId, fault }),
    };
  }

  private areLinked(a: TestNode, b: TestNode): boolean {
    return a.online && b.online && a.group === b.group;
  }

  private async track<T>(work: Promise<T>): Promise<T> {
    this.underWay++;
    try {
      return await work;
    } finally {
      this.underWay--;
    }
  }
}

export async function collect(blocks: AsyncIterable<WireBlock>): Promise<WireBlock[]> {
  const collected: WireBlock[] = [];
  for await (const block of blocks) collected.push(block);
  return collected;
}
