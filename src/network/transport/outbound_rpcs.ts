/**
 * Gossipsub's outbound side, in fewer steps: RPCs to a peer are gathered for a turn of the event loop, and a message that
 * goes to many peers is encoded once, into the buffer that is sent. The library encodes it for each of them.
 */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Connection } from "@libp2p/interface";
import type { Cure } from "../cures/cure.ts";
import { gatherWrites } from "./gathered_stream.ts";
import { FIELD_2, FIELD_4 } from "./plain_rpc.ts";
import { createTurn } from "./turn.ts";

export const gatheredRpcs: Cure = {
  name: "gathered_rpcs",
  install({ pubsub }) {
    const turn = createTurn();
    const createOutboundStream = pubsub.createOutboundStream.bind(pubsub);
    pubsub.createOutboundStream = (peerId, connection) => {
      const newStream: Connection["newStream"] = async (protocols, options) =>
        gatherWrites(await connection.newStream(protocols, options), turn);
      return createOutboundStream(peerId, { newStream });
    };
  },
};

export const sharedEncoding: Cure = {
  name: "shared_encoding",
  install({ pubsub }) {
    const sendRpc = pubsub.sendRpc.bind(pubsub);
    let message: RPC.Message | null = null;
    let encoded: Uint8Array = new Uint8Array();
    pubsub.sendRpc = (peerId, rpc) => {
      const [first, ...others] = rpc.messages;
      const isBare = first !== undefined && others.length + rpc.subscriptions.length === 0 && rpc.control === undefined;
      // What waits for the peer is added to the RPC.
      if (!isBare || pubsub.control.has(peerId) || pubsub.gossip.has(peerId)) return sendRpc(peerId, rpc);
      const stream = pubsub.streamsOutbound.get(peerId);
      if (stream === undefined) return false;
      if (first !== message) {
        encoded = frameOf(first);
        message = first;
      }
      try {
        stream.pushPrefixed(encoded);
        return true;
      } catch {
        // Closed a moment ago: as the library has it, the message does not go to this peer.
        return false;
      }
    };
  },
};

/** Of the varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest >= 0x80; rest >>>= 7) bytes[end++] = (rest & 0x7f) | 0x80;
  bytes[end++] = rest;
  return end;
}

/** The bytes that the library encodes an RPC of this message alone to, behind their length as a varint. */
export function frameOf(message: RPC.Message): Uint8Array {
  const { from, data, seqno, topic, signature, key } = message;
  if (from !== undefined || seqno !== undefined || signature !== undefined || key !== undefined || data === undefined) {
    const rpc = RPC.encode({ subscriptions: [], messages: [message] });
    const frame = Buffer.allocUnsafe(varintBytes(rpc.length) + rpc.length);
    frame.set(rpc, writeVarint(frame, 0, rpc.length));
    return frame;
  }
  const topicBytes = Buffer.byteLength(topic);
  const topicField = topicBytes === 0 ? 0 : 1 + varintBytes(topicBytes) + topicBytes;
  const messageBytes = 1 + varintBytes(data.length) + data.length + topicField;
  const rpcBytes = 1 + varintBytes(messageBytes) + messageBytes;
  const frame = Buffer.allocUnsafe(varintBytes(rpcBytes) + rpcBytes);
  let at = writeVarint(frame, 0, rpcBytes);
  frame[at++] = FIELD_2;
  at = writeVarint(frame, at, messageBytes);
  frame[at++] = FIELD_2;
  at = writeVarint(frame, at, data.length);
  frame.set(data, at);
  at += data.length;
  if (topicBytes > 0) {
    frame[at++] = FIELD_4;
    frame.write(topic, writeVarint(frame, at, topicBytes));
  }
  return frame;
}
