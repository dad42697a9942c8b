/**
 * Gossipsub's outbound side, in fewer steps: RPCs to a peer are gathered for a turn of the event loop, and a message that
 * goes to many peers is encoded once. The library encodes it for each of them, 1.2 kB in 2 µs.
 */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Connection } from "@libp2p/interface";
import type { Cure } from "../cures/cure.ts";
import { gatherWrites } from "./gathered_stream.ts";
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
        encoded = prefixed(RPC.encode(rpc));
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

/** Behind its length as a varint. */
function prefixed(bytes: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80);
  prefix.push(rest);
  return Buffer.concat([Uint8Array.from(prefix), bytes]);
}
