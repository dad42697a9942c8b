/**
 * The honest side of a run, in a thread of its own so that the attackers' load does not slow its clock: a publisher of
 * valid operations, and an observer that judges whatever the target forwards by the verdict function of the node.
 */
import { createHash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { type CancelTimer, systemClock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import { compressBlock } from "../../network/encoding.ts";
import { computeMessageId, messageIdToString } from "../../network/message_id.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../spec/constants.ts";
import { SeenExits } from "../../validation/seen.ts";
import { judgeTriggeredExit, type TriggeredExitContext } from "../../validation/triggered_exit.ts";
import { RawPeer } from "./raw_peer.ts";
import { pubkeyOf } from "./specimens.ts";
import { readViews, type ViewFiles, type Views } from "./views.ts";

export const PHASES = ["before", "during", "after"] as const;
export type Phase = (typeof PHASES)[number];

export interface WitnessOptions {
  /** Where the observer is. */
  readonly targetAddress: string;
  /** The target's, or that of an honest node some steps away. */
  readonly publisherAddress: string;
  readonly topic: string;
  readonly views: ViewFiles;
  /** Published in this order, each once. */
  readonly valid: readonly Uint8Array[];
  /** Pubkeys that attacks use, as hex: on a network whose views we do not know for sure, others' exits are let be. */
  readonly attacked: readonly string[];
  /** 32 bytes each. */
  readonly keySeeds: readonly [Uint8Array, Uint8Array];
}

export interface PhaseReport {
  readonly published: number;
  readonly delivered: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface WitnessReport {
  readonly phases: Readonly<Record<Phase, PhaseReport>>;
  /** Messages from the target that it must not have forwarded, by the verdict on them. */
  readonly invalid: Readonly<Record<string, number>>;
  /** One of them, as hex. */
  readonly invalidSample: string | null;
  /** Valid messages that no honest peer published. */
  readonly otherValid: number;
  /** How many of the valid operations were published, in their order. */
  readonly published: number;
  /** The target, or the publisher's node, hung up on an honest peer. */
  readonly droppedHonestPeer: boolean;
}

export type WitnessRequest =
  | { readonly kind: "attend"; readonly options: WitnessOptions }
  | { readonly kind: "phase"; readonly phase: Phase; readonly perSecond: number }
  | { readonly kind: "finish" };
export type WitnessAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "report"; readonly report: WitnessReport }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * What was published last has this long to arrive: a heartbeat where it is only told of, at each of two steps in a network; the
 * rest is for a busy machine.
 */
const STRAGGLER_MS = 5_000;
/** The pruned may ask again after the backoff that they were told, but not later than this. */
const MAX_BACKOFF_S = 120;

interface Publication {
  readonly phase: Phase;
  readonly sentMs: number;
  latencyMs: number | null;
}

/** The honest side of one attack. */
interface Attendance {
  begin(phase: Phase, perSecond: number): void;
  finish(): Promise<WitnessReport>;
}

async function attend(options: WitnessOptions): Promise<Attendance> {
  const { topic, valid } = options;
  const clock = systemClock;
  const views = await viewsOf(options.views);
  const seen = new SeenExits();
  const context: TriggeredExitContext = { ...views.context, seen };
  const attacked = new Set(options.attacked);
  const genuine = new Set(valid.map(digest));
  /** By the digest of the operation. */
  const publications = new Map<string, Publication>();
  const received = new Set<string>();
  const invalid: Record<string, number> = {};
  let invalidSample: string | null = null;
  let otherValid = 0;
  let phase: Phase = "before";
  let published = 0;
  let cancelPublishing: CancelTimer = () => {};

  const report = (code: string, data: Uint8Array) => {
    invalid[code] = (invalid[code] ?? 0) + 1;
    invalidSample ??= Buffer.from(data).toString("hex");
  };

  function judge(message: RPC.Message): void {
    const data = message.data ?? new Uint8Array();
    const { from, seqno, signature, key } = message;
    const isAnonymous = from === undefined && seqno === undefined && signature === undefined && key === undefined;
    if (message.topic !== topic || !isAnonymous) {
      report(isAnonymous ? "OTHER_TOPIC" : "NOT_ANONYMOUS", data);
      return;
    }
    // The same message again, by another way or by IWANT, says nothing new.
    const id = messageIdToString(computeMessageId(topic, data, TRIGGERED_EXIT_SIZE_BYTES));
    if (received.has(id)) return;
    received.add(id);
    const { verdict, operation, ssz } = judgeTriggeredExit(data, context);
    if (operation !== null) seen.add(operation.pubkey, operation.root);
    const isGiven = ssz !== null && genuine.has(digest(ssz));
    if (verdict.code === "VALID" || isGiven) {
      if (!isGiven) otherValid++;
      return;
    }
    const mayBeForeign = !views.areExact && ssz !== null && !attacked.has(hex(pubkeyOf(ssz)));
    if (!mayBeForeign) report(verdict.code, data);
  }

  const observer = await RawPeer.create(
    { keySeed: options.keySeeds[0], onRpc: (rpc, receivedMs) => onRpc(rpc, receivedMs) },
    clock,
  );
  const publisher = await RawPeer.create({ keySeed: options.keySeeds[1] }, clock);

  function onRpc({ messages, control }: RPC, receivedMs: number): void {
    for (const message of messages) {
      const publication = publications.get(digestOfWire(message));
      if (publication !== undefined) publication.latencyMs ??= receivedMs - publication.sentMs;
      judge(message);
    }
    const missing = (control?.ihave ?? [])
      .flatMap(({ messageIDs }) => messageIDs)
      .filter((id) => !received.has(messageIdToString(id)));
    if (missing.length > 0) observer.send({ iwant: [missing] });
    for (const { topicID, backoff = 60 } of control?.prune ?? []) {
      if (topicID === topic) {
        const delayMs = 1000 * Math.min(Number(backoff) + 1, MAX_BACKOFF_S);
        clock.after(delayMs, () => observer.send({ graft: [topic] }));
      }
    }
  }

  const digestOfWire = ({ data = new Uint8Array() }: RPC.Message) => wireDigests.get(hexDigest(data)) ?? "";
  /** Digests of operations by those of their wire data as the publisher compressed it. */
  const wireDigests = new Map<string, string>();

  for (const [peer, address] of [
    [observer, options.targetAddress],
    [publisher, options.publisherAddress],
  ] as const) {
    await peer.connect(address);
    peer.send({ subscriptions: [{ topic, subscribe: true }] });
    peer.send({ graft: [topic] });
  }

  function publish(): void {
    const operation = valid[published];
    if (operation === undefined) return;
    published++;
    const wireData = compressBlock(operation);
    const key = digest(operation);
    wireDigests.set(hexDigest(wireData), key);
    publications.set(key, { phase, sentMs: clock.monotonicMs(), latencyMs: null });
    publisher.send({ messages: [{ topic, data: wireData }] });
  }

  async function finish(): Promise<WitnessReport> {
    cancelPublishing();
    const deadlineMs = clock.monotonicMs() + STRAGGLER_MS;
    const isWaiting = () => [...publications.values()].some(({ latencyMs }) => latencyMs === null);
    while (isWaiting() && observer.isConnected && clock.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
    const droppedHonestPeer = !observer.isConnected || !publisher.isConnected;
    const entries = PHASES.map((name) => [name, phaseReport(publications.values(), name)] as const);
    await Promise.all([observer.stop(), publisher.stop()]);
    const phases = Object.fromEntries(entries) as Record<Phase, PhaseReport>;
    return { phases, invalid, invalidSample, otherValid, published, droppedHonestPeer };
  }

  return {
    begin(next, perSecond) {
      phase = next;
      cancelPublishing();
      if (perSecond === 0) return;
      publish();
      cancelPublishing = clock.every(1000 / perSecond, publish);
    },
    finish,
  };
}

let known: { readonly key: string; readonly views: Views } | null = null;

/** Read once for all attacks of a run. */
async function viewsOf(files: ViewFiles): Promise<Views> {
  const key = JSON.stringify(files);
  if (known?.key !== key) known = { key, views: await readViews(files) };
  return known.views;
}

function phaseReport(publications: Iterable<Publication>, phase: Phase): PhaseReport {
  const ofPhase = [...publications].filter((publication) => publication.phase === phase);
  const latencies = ofPhase.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs])).sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(Math.floor(q * latencies.length), latencies.length - 1)] ?? null;
  return { published: ofPhase.length, delivered: latencies.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function hexDigest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function digest(operation: Uint8Array): string {
  return hexDigest(operation);
}

function answer(message: WitnessAnswer): void {
  parentPort?.postMessage(message);
}

let attendance: Attendance | null = null;

async function handle(request: WitnessRequest): Promise<void> {
  switch (request.kind) {
    case "attend":
      attendance = await attend(request.options);
      return answer({ kind: "ready" });
    case "phase":
      attendance?.begin(request.phase, request.perSecond);
      return;
    case "finish":
      if (attendance !== null) answer({ kind: "report", report: await attendance.finish() });
      attendance = null;
  }
}

parentPort?.on("message", (request: WitnessRequest) => {
  handle(request).catch((error) => answer({ kind: "failed", reason: errorMessage(error) }));
});
