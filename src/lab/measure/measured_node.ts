/** A node as it runs everywhere, on fixed views, with a tracer in its gossip. */

import type { Clock } from "../../base/clock.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../network/gossip.ts";
import type { GossipContext, StatusMessage } from "../../network/network.ts";
import { NodeExits } from "../../node_exits.ts";
import { TriggeredExitPool } from "../../pool/triggered_exits.ts";
import { computeForkDigestHex } from "../../spec/config.ts";
import type { TriggeredExit } from "../../spec/types.ts";
import type { CachedState } from "../../state/beacon_state.ts";
import { createStateView, type StateView } from "../../state/view.ts";
import { TriggeredExitValidator } from "../../validation/triggered_exit.ts";
import type { Verdict } from "../../validation/verdict.ts";
import { createMeasuredNetwork, type MeasuredNetwork, type StackName } from "./stacks.ts";
import type { Tracer } from "./tracer.ts";

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
  readonly stack: StackName;
  /** libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
  /** IPv4 address to listen on. */
  readonly host?: string;
  readonly maxPeers: number;
  readonly version: string;
}

export interface MeasuredNodeDeps {
  readonly views: FixedViews;
  /** Null: gossip as it is, without a trace. */
  readonly tracer: Tracer | null;
  /** Whether a message is of the run, and not an attacker's; absent: all are. */
  readonly isCounted?: (wireData: Uint8Array) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
}

export class MeasuredNode {
  readonly #network: MeasuredNetwork;
  readonly #exits: NodeExits;
  readonly #deps: MeasuredNodeDeps;
  #delivered = 0;
  #cancelSweep: () => void = () => {};

  constructor(
    { stack, privateKey, host = "127.0.0.1", maxPeers, version }: MeasuredNodeOptions,
    deps: MeasuredNodeDeps,
  ) {
    const { views, tracer, clock, random, log = silentLogger } = deps;
    const { config } = views.state;
    const { forkDigest, view } = views;
    this.#deps = deps;
    this.#network = createMeasuredNetwork(
      stack,
      {
        privateKey,
        host,
        maxPeers: maxPeers + SPARE_PEERS,
        version,
        forkDigest,
        slotMs: config.SLOT_DURATION_MS,
        status: views.status,
        handler: (wireData, context) => this.#onGossip(wireData, context),
        watch: tracer === null ? null : (pubsub) => tracer.attach(pubsub),
      },
      { clock, random, log },
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
      publish: (ssz, isLate) => this.#network.publish(ssz, isLate),
      proveAgain: () => null,
      onAccepted: () => {},
      isSynced: () => true,
      penalize: (peerId, fault, count) => this.#network.penalize(peerId, fault, count),
      slotMs: config.SLOT_DURATION_MS,
      onEvent: () => {},
      clock,
      log,
    });
  }

  #onGossip(wireData: Uint8Array, context: GossipContext): Verdict | Promise<Verdict> {
    const { clock, tracer, isCounted = () => true } = this.#deps;
    const startedMs = clock.monotonicMs();
    const verdict = this.#exits.onGossip(wireData, context);
    tracer?.judged(clock.monotonicMs() - startedMs);
    if (!(verdict instanceof Promise) && verdict.result === "accept" && isCounted(wireData)) this.#delivered++;
    return verdict;
  }

  get address(): string {
    return this.#network.address();
  }

  /** Messages of the run, published by others, that it has accepted. */
  get delivered(): number {
    return this.#delivered;
  }

  get meshSize(): number {
    return this.#network.meshSize();
  }

  get peerCount(): number {
    return this.#network.peerCount();
  }

  async start(): Promise<void> {
    await this.#network.start();
    this.#cancelSweep = this.#deps.clock.every(HEARTBEAT_INTERVAL_MS, () => this.#exits.sweep());
  }

  /** Rejects where the peer cannot be reached. */
  dial(address: string): Promise<void> {
    return this.#network.dial(address);
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
