/** A node as it runs everywhere, on fixed views, with a tracer in its gossip. */

import type { Libp2p } from "@libp2p/interface";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { multiaddr } from "@multiformats/multiaddr";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { createNetwork } from "../../network/create_network.ts";
import { ALL_CURES } from "../../network/cures/index.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../network/gossip.ts";
import type { Network, StatusMessage } from "../../network/network.ts";
import { NodeExits } from "../../node_exits.ts";
import { TriggeredExitPool } from "../../pool/triggered_exits.ts";
import { computeForkDigestHex } from "../../spec/config.ts";
import type { TriggeredExit } from "../../spec/types.ts";
import type { CachedState } from "../../state/beacon_state.ts";
import { createStateView, type StateView } from "../../state/view.ts";
import { TriggeredExitValidator } from "../../validation/triggered_exit.ts";
import type { Tracer } from "./tracer.ts";

export const MEASURED_TOPIC = "triggered_exit";
/** Beyond a node's links: none is expected. */
const SPARE_PEERS = 16;

/** The state that all nodes of a process stand on: views are values, so they share them. */
export interface FixedViews {
  readonly state: CachedState;
  readonly view: StateView;
  readonly forkDigest: string;
  readonly epoch: number;
  readonly status: StatusMessage;
}

export function createFixedViews(state: CachedState): FixedViews {
  const { epoch } = state.epochCtx;
  const forkDigest = computeForkDigestHex(state.config, epoch);
  const header = state.latestBlockHeader.clone();
  header.stateRoot = state.hashTreeRoot();
  return {
    state,
    view: createStateView(state),
    forkDigest,
    epoch,
    status: {
      forkDigest: Uint8Array.from(Buffer.from(forkDigest, "hex")),
      finalizedRoot: state.finalizedCheckpoint.root,
      finalizedEpoch: state.finalizedCheckpoint.epoch,
      headRoot: header.hashTreeRoot(),
      headSlot: state.slot,
      earliestAvailableSlot: state.slot,
    },
  };
}

export interface MeasuredNodeOptions {
  /** libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
  readonly maxPeers: number;
  readonly version: string;
}

export interface MeasuredNodeDeps {
  readonly views: FixedViews;
  /** Null: gossip as it is, without a trace. */
  readonly tracer: Tracer | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
}

export class MeasuredNode {
  readonly #network: Network;
  readonly #exits: NodeExits;
  readonly #deps: MeasuredNodeDeps;
  #libp2p: Libp2p | null = null;
  #delivered = 0;
  #cancelSweep: () => void = () => {};

  constructor({ privateKey, maxPeers, version }: MeasuredNodeOptions, deps: MeasuredNodeDeps) {
    const { views, tracer, clock, random, log = silentLogger } = deps;
    const { config } = views.state;
    const { forkDigest, view } = views;
    this.#deps = deps;
    this.#network = createNetwork(
      {
        privateKey,
        listen: ["/ip4/127.0.0.1/tcp/0"],
        bootnodes: [],
        version,
        slotMs: config.SLOT_DURATION_MS,
        slotsPerEpoch: SLOTS_PER_EPOCH,
        forkDigests: [forkDigest],
        maxPeers: maxPeers + SPARE_PEERS,
      },
      {
        backend: {
          getStatus: () => views.status,
          onStatus: () => {},
          async *getBlocksByRange() {},
          async *getBlocksByRoot() {},
        },
        onVerdict: () => {},
        clock,
        random,
        log,
      },
      [
        ...ALL_CURES,
        {
          name: "libp2p",
          install: ({ libp2p }) => {
            this.#libp2p = libp2p;
          },
        },
        // Last, so that it sees what the others let through.
        ...(tracer === null ? [] : [tracer.cure]),
      ],
    );
    this.#exits = new NodeExits({
      validator: new TriggeredExitValidator({
        shardCommitteePeriodEpochs: config.SHARD_COMMITTEE_PERIOD,
        getViews: () => ({ head: view, finalized: view, synced: true, contract: null }),
        clockEpoch: () => views.epoch,
      }),
      pool: new TriggeredExitPool(),
      journal: null,
      restored: [],
      headView: () => view,
      publish: (ssz, isLate) => this.#network.publish(MEASURED_TOPIC, forkDigest, ssz, { evenIfSeen: isLate }),
      proveAgain: () => null,
      onAccepted: () => {},
      isSynced: () => true,
      penalize: (peerId, fault, count) => this.#network.penalize(peerId, fault, count),
      slotMs: config.SLOT_DURATION_MS,
      onEvent: () => {},
      clock,
      log,
    });
    this.#network.subscribe({
      name: MEASURED_TOPIC,
      forkDigest,
      handler: (wireData, context) => {
        const startedMs = clock.monotonicMs();
        const verdict = this.#exits.onGossip(wireData, context);
        tracer?.judged(clock.monotonicMs() - startedMs);
        if (!(verdict instanceof Promise) && verdict.result === "accept") this.#delivered++;
        return verdict;
      },
    });
  }

  get address(): string {
    const [address] = this.#network.multiaddrs();
    if (address === undefined) throw new CodedError("NETWORK_NOT_RUNNING", "The node does not listen");
    return address;
  }

  /** Messages of others that it has accepted. */
  get delivered(): number {
    return this.#delivered;
  }

  get meshSize(): number {
    return this.#network.meshPeerCount(MEASURED_TOPIC, this.#deps.views.forkDigest);
  }

  get peerCount(): number {
    return this.#libp2p?.getPeers().length ?? 0;
  }

  async start(): Promise<void> {
    await this.#network.start();
    this.#cancelSweep = this.#deps.clock.every(HEARTBEAT_INTERVAL_MS, () => this.#exits.sweep());
  }

  /** Rejects where the peer cannot be reached. */
  async dial(address: string): Promise<void> {
    await this.#libp2p?.dial(multiaddr(address));
  }

  /**
   * As the API does: judged, pooled, spread. Resolves to the number of peers it went to.
   * @param lateMs after the time that was planned.
   */
  async publish(exit: TriggeredExit, message: number, lateMs: number): Promise<number> {
    this.#deps.tracer?.published(message, lateMs);
    const submission = await this.#exits.submit(exit);
    return submission.status === "published" ? submission.recipients : 0;
  }

  /** Hangs up as a node that leaves does. */
  async stop(): Promise<void> {
    this.#cancelSweep();
    this.#exits.stop();
    await this.#network.stop();
  }
}
