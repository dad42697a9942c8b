/**
 * The boundary between validation and gossipsub: the only caller of `reportMessageValidationResult`. Each message is
 * held until its handler's verdict, and gets exactly one answer, in time: gossipsub forgets a message that waits for
 * longer than its cache lasts, and then drops the verdict without a word.
 */
import { TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import type { Clock } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Verdict } from "../validation/verdict.ts";
import type { Counters } from "./counters.ts";
import type { GossipsubInternals } from "./gossipsub_internals.ts";
import type { GossipHandler, GossipVerdict, TopicName } from "./network.ts";

/** Messages that wait for a verdict at once; what comes on top is ignored. Protects memory and the answer time. */
export const MAX_PENDING_VERDICTS = 1024;
/** Bytes of the messages that wait: a few blocks of the largest size beside everything else. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024;

/**
 * Calls of a handler that one peer may have made in vain: at once, and a second. What ends in ACCEPT does not count,
 * so useful messages are never delayed; the others wait, and a flood has its peer hung up (`guard/limits.ts`, 105 ms at
 * 10,000 a second) before it has cost 100 calls. The most exits that a block of 60 million gas can announce, 845, take
 * 3.3 s when we have not seen the block yet, within the deadline.
 */
export const VAIN_CALLS_BURST = 48;
export const VAIN_CALLS_PER_SECOND = 240;
/**
 * Of all peers together that have used up half of their burst, or wait, in equal parts: ten that flood as one are judged no more
 * than two.
 */
const SHARED_VAIN_CALLS_PER_SECOND = 480;
/** How often those that wait are looked at: two or three calls a peer. */
export const PACE_MS = 10;

/** What messages end in that no handler judged, or not in time; `docs/verdicts.md` has a row for each. */
export const BOUNDARY_CODES = ["QUEUE_FULL", "TOO_LATE", "PEER_GONE"] as const;

const HANDLER_FAILED: Verdict = { result: "ignore", code: "INTERNAL_ERROR" };
const [QUEUE_FULL, TOO_LATE, PEER_GONE] = BOUNDARY_CODES.map((code): Verdict => ({ result: "ignore", code })) as [
  Verdict,
  Verdict,
  Verdict,
];

export interface IncomingMessage {
  readonly messageId: string;
  readonly peerId: string;
  readonly topic: string;
  readonly wireData: Uint8Array;
}

export interface BoundaryTopic {
  readonly name: TopicName;
  readonly forkDigest: string;
  readonly handler: GossipHandler;
}

export interface BoundaryDependencies {
  readonly pubsub: Pick<GossipsubInternals, "reportMessageValidationResult">;
  readonly topics: ReadonlyMap<string, BoundaryTopic>;
  /** A verdict older than this is lost in gossipsub. */
  readonly verdictDeadlineMs: number;
  /** Whether the peer is hung up: what it sent is not judged any more. */
  readonly isRefused: (peerId: string) => boolean;
  /**
   * Has gossipsub forget a message that was dropped unjudged, so that the next copy is judged: or else a flood could
   * carry honest messages with it, and have us ignore them.
   */
  readonly forget: (message: IncomingMessage) => void;
  /** A message of the peer was dropped from the full queue, which it helped to fill by messages brought in vain. */
  readonly onCrowding: (peerId: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
  readonly onVerdict: (verdict: GossipVerdict) => void;
}

export interface Boundary {
  receive(message: IncomingMessage): void;
  /** Whether messages of the peer wait for their turn. */
  isWaiting(peerId: string): boolean;
  /** Drops a message that gossipsub does not know yet, as from the full queue: more of its peer's would fill it. */
  refuse(message: Omit<IncomingMessage, "messageId">): void;
  /** Ignores what has waited past the deadline; called at each heartbeat. */
  expire(): void;
  stop(): void;
}

interface Pending extends IncomingMessage {
  readonly topicEntry: BoundaryTopic;
  readonly startedMs: number;
  readonly receivedMs: number;
  answered: boolean;
}

/** What a peer has under way; kept while there is anything. */
interface PeerQueue {
  /** Not handed to a handler yet, in order of arrival. */
  readonly waiting: Pending[];
  running: number;
  bytes: number;
  vainCalls: number;
  drainedMs: number;
}

export function createBoundary(dependencies: BoundaryDependencies): Boundary {
  const { pubsub, topics, verdictDeadlineMs, isRefused, forget, onCrowding, clock, log, counters, onVerdict } =
    dependencies;
  /** Waiting or running, in order of arrival; bounded by MAX_PENDING_VERDICTS and MAX_PENDING_BYTES. */
  const pending = new Set<Pending>();
  let pendingBytes = 0;
  /** By peer id; forgotten when nothing is under way and no vain call remembered. */
  const queues = new Map<string, PeerQueue>();
  /** Peers that share the calls, when they were last looked at. */
  let sharingPeers = 0;
  let cancelPace: (() => void) | null = null;

  function answer(message: Pending, verdict: Verdict): void {
    if (message.answered) return;
    message.answered = true;
    pubsub.reportMessageValidationResult(message.messageId, message.peerId, acceptance(verdict));
    tell(message, message.topicEntry, verdict, clock.monotonicMs() - message.startedMs);
  }

  function tell(
    { peerId, topic, wireData }: Omit<IncomingMessage, "messageId">,
    { name, forkDigest }: BoundaryTopic,
    verdict: Verdict,
    elapsedMs: number,
  ): void {
    try {
      onVerdict({ topic: name, forkDigest, peerId, sizeBytes: wireData.length, verdict, elapsedMs });
    } catch (error) {
      handlerFailed(topic, error);
    }
  }

  function dropFromFullQueue(message: Pending, queue: PeerQueue): void {
    counters.queueFull++;
    drop(message, QUEUE_FULL);
    // Others wait because the peer has no call left.
    if (queue.waiting.length > 0) onCrowding(message.peerId);
  }

  /** Answers what no handler has seen, so that another copy may be judged. */
  function drop(message: Pending, verdict: Verdict): void {
    answer(message, verdict);
    forget(message);
  }

  function handlerFailed(topic: string, error: unknown): void {
    counters.handlerErrors++;
    log.error({ topic, error: errorMessage(error) }, "A gossip handler threw: the message is ignored");
  }

  function answerLate(messages: readonly Pending[]): void {
    if (messages.length === 0) return;
    counters.lateVerdicts += messages.length;
    // One line, however many they are: a flood must not fill the log.
    log.warn(
      {
        topics: [...new Set(messages.map(({ topic }) => topic))],
        count: messages.length,
        deadlineMs: verdictDeadlineMs,
      },
      "Verdicts took too long: the messages are ignored",
    );
    for (const message of messages) answer(message, TOO_LATE);
  }

  function isLate(message: Pending): boolean {
    return clock.monotonicMs() - message.startedMs > verdictDeadlineMs;
  }

  function queueOf(peerId: string): PeerQueue {
    const queue = queues.get(peerId) ?? { waiting: [], running: 0, bytes: 0, vainCalls: 0, drainedMs: 0 };
    queues.set(peerId, queue);
    const nowMs = clock.monotonicMs();
    const perSecond = Math.min(VAIN_CALLS_PER_SECOND, SHARED_VAIN_CALLS_PER_SECOND / sharingPeers);
    queue.vainCalls = Math.max(0, queue.vainCalls - ((nowMs - queue.drainedMs) / 1000) * perSecond);
    queue.drainedMs = nowMs;
    return queue;
  }

  function canCall(queue: PeerQueue): boolean {
    return queue.vainCalls + 1 <= VAIN_CALLS_BURST;
  }

  function release(message: Pending): void {
    if (!pending.delete(message)) return;
    pendingBytes -= message.wireData.length;
    const queue = queues.get(message.peerId);
    if (queue !== undefined) queue.bytes -= message.wireData.length;
  }

  function settle(message: Pending, verdict: Verdict): void {
    const queue = queues.get(message.peerId);
    if (queue !== undefined && verdict.result === "accept") queue.vainCalls = Math.max(0, queue.vainCalls - 1);
    if (message.answered) return;
    if (isLate(message)) answerLate([message]);
    else answer(message, verdict);
  }

  /** The slot is held until the handler is done, even past the deadline: it is the handlers that are bounded. */
  function call(message: Pending, queue: PeerQueue): void {
    const { name: topic, forkDigest, handler } = message.topicEntry;
    const context = { topic, forkDigest, peerId: message.peerId, receivedMs: message.receivedMs };
    queue.vainCalls++;
    let verdict: Verdict | Promise<Verdict>;
    try {
      verdict = handler(message.wireData, context);
    } catch (error) {
      handlerFailed(message.topic, error);
      verdict = HANDLER_FAILED;
    }
    if (!(verdict instanceof Promise)) {
      release(message);
      settle(message, verdict);
      return;
    }
    queue.running++;
    verdict
      .catch((error): Verdict => {
        handlerFailed(message.topic, error);
        return HANDLER_FAILED;
      })
      .then((settled) => settle(message, settled))
      .finally(() => {
        queue.running--;
        release(message);
      });
  }

  /**
   * Makes room for one more message of `peerId` by dropping the newest that waits of whoever holds most. False where
   * that is this peer itself, or nothing can be dropped.
   */
  function makeRoom(peerId: string, sizeBytes: number): boolean {
    const isFull = () => pending.size >= MAX_PENDING_VERDICTS || pendingBytes + sizeBytes > MAX_PENDING_BYTES;
    while (isFull()) {
      const holdOf = ({ waiting, running, bytes }: PeerQueue) =>
        Math.max((waiting.length + running) / MAX_PENDING_VERDICTS, bytes / MAX_PENDING_BYTES);
      const own = queueOf(peerId);
      let heaviest = own;
      for (const queue of queues.values()) if (holdOf(queue) > holdOf(heaviest)) heaviest = queue;
      const newest = heaviest === own ? undefined : heaviest.waiting.pop();
      if (newest === undefined) return false;
      release(newest);
      dropFromFullQueue(newest, heaviest);
    }
    return true;
  }

  /** One call a peer in turn, until none of them may. */
  function pace(): void {
    cancelPace = null;
    for (const peerId of queues.keys()) {
      const queue = queueOf(peerId);
      const refused = queue.waiting.length > 0 && isRefused(peerId);
      for (const message of refused ? queue.waiting.splice(0) : []) {
        release(message);
        drop(message, PEER_GONE);
      }
    }
    for (let called = true; called; ) {
      called = false;
      for (const queue of queues.values()) {
        const next = canCall(queue) ? queue.waiting.shift() : undefined;
        if (next !== undefined) {
          called = true;
          if (next.answered) release(next);
          else call(next, queue);
        }
      }
    }
    sharingPeers = 0;
    for (const [peerId, queue] of queues) {
      if (queue.waiting.length > 0 || queue.vainCalls > VAIN_CALLS_BURST / 2) sharingPeers++;
      if (queue.waiting.length + queue.running === 0 && queue.vainCalls === 0) queues.delete(peerId);
    }
    if (sharingPeers > 0) schedulePace();
  }

  function schedulePace(): void {
    cancelPace ??= clock.after(PACE_MS, pace);
  }

  return {
    receive(incoming) {
      const topicEntry = topics.get(incoming.topic);
      if (topicEntry === undefined) {
        // Unsubscribed while the message was on its way.
        pubsub.reportMessageValidationResult(incoming.messageId, incoming.peerId, TopicValidatorResult.Ignore);
        return;
      }
      const startedMs = clock.monotonicMs();
      const message: Pending = { ...incoming, topicEntry, startedMs, receivedMs: clock.nowMs(), answered: false };
      if (isRefused(incoming.peerId)) {
        drop(message, PEER_GONE);
        return;
      }
      if (!makeRoom(incoming.peerId, incoming.wireData.length)) {
        dropFromFullQueue(message, queueOf(incoming.peerId));
        return;
      }
      const queue = queueOf(incoming.peerId);
      pending.add(message);
      pendingBytes += message.wireData.length;
      queue.bytes += message.wireData.length;
      if (queue.waiting.length === 0 && canCall(queue)) {
        call(message, queue);
      } else {
        queue.waiting.push(message);
        schedulePace();
      }
    },

    refuse(message) {
      const topicEntry = topics.get(message.topic);
      if (topicEntry === undefined) return;
      counters.queueFull++;
      tell(message, topicEntry, QUEUE_FULL, 0);
      onCrowding(message.peerId);
    },
    isWaiting: (peerId) => (queues.get(peerId)?.waiting.length ?? 0) > 0,

    expire() {
      const late: Pending[] = [];
      for (const message of pending) {
        if (!isLate(message)) break;
        if (!message.answered) late.push(message);
      }
      answerLate(late);
      if (queues.size > 0) schedulePace();
    },
    stop: () => cancelPace?.(),
  };
}

function acceptance({ result }: Verdict): TopicValidatorResult {
  if (result === "accept") return TopicValidatorResult.Accept;
  return result === "reject" ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
}
