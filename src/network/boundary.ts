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

const HANDLER_FAILED: Verdict = { result: "ignore", code: "INTERNAL_ERROR" };
const QUEUE_FULL: Verdict = { result: "ignore", code: "QUEUE_FULL" };
const TOO_LATE: Verdict = { result: "ignore", code: "TOO_LATE" };

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
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
  readonly onVerdict: (verdict: GossipVerdict) => void;
}

export interface Boundary {
  receive(message: IncomingMessage): void;
  /** Ignores what has waited past the deadline; called at each heartbeat. */
  expire(): void;
}

export function createBoundary(dependencies: BoundaryDependencies): Boundary {
  const { pubsub, topics, verdictDeadlineMs, clock, log, counters, onVerdict } = dependencies;
  interface Pending extends IncomingMessage {
    readonly topicEntry: BoundaryTopic;
    readonly startedMs: number;
    answered: boolean;
  }
  /** In order of arrival; bounded by MAX_PENDING_VERDICTS and MAX_PENDING_BYTES. */
  const pending = new Set<Pending>();
  let pendingBytes = 0;

  function answer(message: Pending, verdict: Verdict): void {
    if (message.answered) return;
    message.answered = true;
    pubsub.reportMessageValidationResult(message.messageId, message.peerId, acceptance(verdict));
    const elapsedMs = clock.monotonicMs() - message.startedMs;
    const { name, forkDigest } = message.topicEntry;
    try {
      onVerdict({ topic: name, forkDigest, peerId: message.peerId, verdict, elapsedMs });
    } catch (error) {
      handlerFailed(message, error);
    }
  }

  function handlerFailed(message: Pending, error: unknown): void {
    counters.handlerErrors++;
    log.error({ topic: message.topic, error: errorMessage(error) }, "A gossip handler threw: the message is ignored");
  }

  function late(message: Pending): Verdict {
    counters.lateVerdicts++;
    log.warn(
      { topic: message.topic, deadlineMs: verdictDeadlineMs },
      "A verdict took too long: the message is ignored",
    );
    return TOO_LATE;
  }

  function isLate(message: Pending): boolean {
    return clock.monotonicMs() - message.startedMs > verdictDeadlineMs;
  }

  function settle(message: Pending, verdict: Verdict): void {
    if (!message.answered) answer(message, isLate(message) ? late(message) : verdict);
  }

  /** The slot is held until the handler is done, even past the deadline: it is the handlers that are bounded. */
  function hold(message: Pending, verdict: Promise<Verdict>): void {
    pending.add(message);
    pendingBytes += message.wireData.length;
    verdict
      .catch((error): Verdict => {
        handlerFailed(message, error);
        return HANDLER_FAILED;
      })
      .then((settled) => settle(message, settled))
      .finally(() => {
        pending.delete(message);
        pendingBytes -= message.wireData.length;
      });
  }

  return {
    receive(incoming) {
      const topicEntry = topics.get(incoming.topic);
      if (topicEntry === undefined) {
        // Unsubscribed while the message was on its way.
        pubsub.reportMessageValidationResult(incoming.messageId, incoming.peerId, TopicValidatorResult.Ignore);
        return;
      }
      const message: Pending = { ...incoming, topicEntry, startedMs: clock.monotonicMs(), answered: false };
      if (pending.size >= MAX_PENDING_VERDICTS || pendingBytes + incoming.wireData.length > MAX_PENDING_BYTES) {
        counters.queueFull++;
        answer(message, QUEUE_FULL);
        return;
      }
      const { name: topic, forkDigest, handler } = topicEntry;
      const context = { topic, forkDigest, peerId: incoming.peerId, receivedMs: clock.nowMs() };
      let verdict: Verdict | Promise<Verdict>;
      try {
        verdict = handler(incoming.wireData, context);
      } catch (error) {
        handlerFailed(message, error);
        verdict = HANDLER_FAILED;
      }
      if (verdict instanceof Promise) hold(message, verdict);
      else settle(message, verdict);
    },

    expire() {
      for (const message of pending) {
        if (!isLate(message)) return;
        if (!message.answered) answer(message, late(message));
      }
    },
  };
}

function acceptance({ result }: Verdict): TopicValidatorResult {
  if (result === "accept") return TopicValidatorResult.Accept;
  return result === "reject" ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
}
