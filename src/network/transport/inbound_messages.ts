/**
 * What gossipsub does with a message that is new, without the promises that the library awaits and the events that it makes for each on the way to
 * the validator: no step has to wait here. Whatever is not a plain message on a topic that we have joined
 * goes the library's way.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { PeerId } from "@libp2p/interface";
import { MAX_PENDING_VERDICTS } from "../boundary.ts";
import type { Cure } from "../cures/cure.ts";
import { messageIdToString } from "../message_id.ts";
import { PeerTurns } from "./peer_turns.ts";
import { createTurn } from "./turn.ts";

/**
 * Messages in a turn of the event loop of peers that have messages waiting for a verdict: they are of no use so far, and one RPC may
 * hold thousands. 64 take 0.6 to 4 ms. Of one peer as many wait as the queue of verdicts has room for. Others' are handled
 * as they come: useful messages are never delayed.
 */
const LATER_MESSAGES_PER_TURN = 64;
/** Of such messages; what comes on top is handled as it comes. Above the 6 MiB that one peer may fill with exits at once. */
const MAX_LATER_BYTES = 16 * 1024 * 1024;

interface Received {
  readonly peerId: string;
  readonly message: RPC.Message;
  readonly wireData: Uint8Array;
}

/** What `handleReceivedRpc` gives for what it has taken in: nobody has to wait for it, or to catch. */
export const HANDLED = Promise.resolve();

export const promptMessages: Cure = {
  name: "prompt_messages",
  install({ pubsub, guard, messageIdOf, deliver, isWaiting, refuse, log }) {
    const { fastMsgIdCache, seenCache, score, gossipTracer, mcache, opts } = pubsub;
    const handleReceivedRpc = pubsub.handleReceivedRpc.bind(pubsub);

    /** Whether nothing of the library's own is needed: signatures, IDONTWANT, a validator of a topic that we have not joined. */
    function isPlain({ from, seqno, signature, key, data, topic }: RPC.Message): boolean {
      return (
        from === undefined &&
        seqno === undefined &&
        signature === undefined &&
        key === undefined &&
        data !== undefined &&
        data.length < opts.idontwantMinDataSize &&
        pubsub.subscriptions.has(topic) &&
        !pubsub.topicValidators.has(topic)
      );
    }

    function duplicate(peerId: string, messageId: string, topic: string): void {
      score.duplicateMessage(peerId, messageId, topic);
      gossipTracer.deliverMessage(messageId, true);
      mcache.observeDuplicate(messageId, peerId);
    }

    /** As the library's `handleReceivedMessage` and `validateReceivedMessage`. */
    function receive(peerId: string, message: RPC.Message, wireData: Uint8Array): void {
      const { topic } = message;
      const rawKey = pubsub.fastMsgIdFn(message);
      const known = fastMsgIdCache.get(rawKey);
      if (known !== undefined) {
        duplicate(peerId, known, topic);
        return;
      }
      const id = messageIdOf(topic, wireData);
      const messageId = messageIdToString(id);
      fastMsgIdCache.put(rawKey, messageId);
      if (seenCache.entries.has(messageId)) {
        duplicate(peerId, messageId, topic);
        return;
      }
      seenCache.put(messageId, undefined);
      score.validateMessage(messageId);
      gossipTracer.deliverMessage(messageId, false);
      mcache.put({ msgId: id, msgIdStr: messageId }, message, false);
      deliver({ messageId, peerId, topic, wireData });
    }

    /** Of one chunk of the socket, which the guard has charged for. */
    let waiting: Received[] = [];
    const turn = createTurn();
    const later = new PeerTurns<Received>();
    let laterBytes = 0;

    function receiveNow({ peerId, message, wireData }: Received): void {
      // Hung up for what came before it: nobody has seen this one, and another copy will be judged.
      if (guard.isRefused(peerId)) return;
      try {
        receive(peerId, message, wireData);
      } catch (error) {
        log.warn({ error }, "gossipsub could not handle a message");
      }
    }

    function receiveAll(): void {
      const due = waiting;
      waiting = [];
      for (const received of due) {
        const { peerId, message, wireData } = received;
        const ownCount = later.countOf(peerId);
        if ((ownCount === 0 && !isWaiting(peerId)) || laterBytes + wireData.length > MAX_LATER_BYTES) {
          receiveNow(received);
        } else if (ownCount < MAX_PENDING_VERDICTS) {
          // A copy: the rest of the chunk that it came in, 64 KiB, must not wait as well.
          const own = new Uint8Array(wireData);
          later.add(peerId, { peerId, message: { ...message, data: own }, wireData: own });
          laterBytes += own.length;
          turn.atEnd(receiveLater);
        } else if (!guard.isRefused(peerId)) {
          refuse({ peerId, topic: message.topic, wireData });
        }
      }
    }

    function receiveLater(): void {
      for (let i = 0; i < LATER_MESSAGES_PER_TURN; i++) {
        const received = later.take();
        if (received === undefined) return;
        laterBytes -= received.wireData.length;
        receiveNow(received);
      }
      turn.atEnd(receiveLater);
    }

    pubsub.handleReceivedRpc = (from: PeerId, rpc) => {
      const { subscriptions, messages, control } = rpc;
      const plain = messages.filter(isPlain);
      const isAllPlain = subscriptions.length === 0 && control === undefined && plain.length === messages.length;
      const handled = isAllPlain
        ? HANDLED
        : handleReceivedRpc(from, { ...rpc, messages: messages.filter((message) => !isPlain(message)) });
      const peerId = from.toString();
      if (!pubsub.acceptFrom(peerId)) return handled;
      for (const message of plain) {
        // Behind all frames of the chunk: whoever sends too many of them is hung up before they fill the queue of verdicts.
        if (waiting.length === 0) queueMicrotask(receiveAll);
        waiting.push({ peerId, message, wireData: message.data as Uint8Array });
      }
      return handled;
    };
  },
};
