/**
 * What gossipsub does with a message that is new, without the promises that the library awaits and the events that it makes for each on the way to
 * the validator: no step has to wait here. Whatever is not an RPC of plain messages on
 * topics that we have joined goes the library's way.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { PeerId } from "@libp2p/interface";
import type { Cure } from "../cures/cure.ts";
import { messageIdToString } from "../message_id.ts";

/** What `handleReceivedRpc` gives for what it has taken in: nobody has to wait for it, or to catch. */
export const HANDLED = Promise.resolve();

export const promptMessages: Cure = {
  name: "prompt_messages",
  install({ pubsub, guard, messageIdOf, deliver, log }) {
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
    let waiting: { peerId: string; message: RPC.Message; wireData: Uint8Array }[] = [];

    function receiveAll(): void {
      const due = waiting;
      waiting = [];
      for (const { peerId, message, wireData } of due) {
        // Hung up for what came before it: nobody has seen this one, and another copy will be judged.
        if (guard.isRefused(peerId)) continue;
        try {
          receive(peerId, message, wireData);
        } catch (error) {
          log.warn({ error }, "gossipsub could not handle a message");
        }
      }
    }

    pubsub.handleReceivedRpc = (from: PeerId, rpc) => {
      const { subscriptions, messages, control } = rpc;
      if (subscriptions.length > 0 || control !== undefined || !messages.every(isPlain)) {
        return handleReceivedRpc(from, rpc);
      }
      const peerId = from.toString();
      if (!pubsub.acceptFrom(peerId)) return HANDLED;
      for (const message of messages) {
        // Behind all frames of the chunk: whoever sends too many of them is hung up before they fill the queue of verdicts.
        if (waiting.length === 0) queueMicrotask(receiveAll);
        waiting.push({ peerId, message, wireData: message.data as Uint8Array });
      }
      return HANDLED;
    };
  },
};
