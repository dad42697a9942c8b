/**
 * Gossipsub tells and asks for up to 5000 ids of 22 bytes in one RPC, and answers an IWANT with one RPC, which is lost beyond
 * 4 MiB. rust-libp2p (gossipsub 0.50) closes our stream on 16 KiB of control messages, and on more messages than it is set to,
 * Lighthouse's 500: it hears nothing more. Here what is larger goes as several RPCs.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Cure } from "./cure.ts";

/** 14 KiB; the rest is for GRAFT and PRUNE. 5000 ids are eight RPCs: go, rust and js take ten with IHAVE a heartbeat. */
const MAX_IDS = 640;
const MAX_MESSAGES = 256;
const MAX_MESSAGES_BYTES = 1024 * 1024;

export const rpcSizesCure: Cure = {
  name: "rpc_sizes",
  install({ pubsub }) {
    const sendRpc = pubsub.sendRpc.bind(pubsub);
    const send = (peerId: string, rpc: RPC) =>
      partsOf(rpc).reduce((areSent, part) => sendRpc(peerId, part) && areSent, true);
    pubsub.sendRpc = (peerId, rpc) => {
      // The library adds it to what goes out next.
      const waiting = pubsub.gossip.get(peerId);
      if (waiting !== undefined && countIds(waiting) + countIdsOf(rpc) > MAX_IDS) {
        pubsub.gossip.delete(peerId);
        send(peerId, controlRpc({ ihave: waiting }));
      }
      return send(peerId, rpc);
    };
  },
};

/** The RPC itself where it is small enough. */
export function partsOf(rpc: RPC): RPC[] {
  const batches = batchMessages(rpc.messages);
  if (batches.length <= 1 && countIdsOf(rpc) <= MAX_IDS) return [rpc];
  const { ihave = [], iwant = [], ...others } = rpc.control ?? {};
  const hasOthers = Object.values(others).flat().length + rpc.subscriptions.length > 0;
  return [
    ...(hasOthers ? [{ ...controlRpc(others), subscriptions: rpc.subscriptions }] : []),
    ...packIds(ihave).map((pack) => controlRpc({ ihave: pack })),
    ...packIds(iwant).map((pack) => controlRpc({ iwant: pack })),
    ...batches.map((messages) => ({ subscriptions: [], messages })),
  ];
}

type Ids = { readonly messageIDs: Uint8Array[] };

const countIds = (items: readonly Ids[]) => items.reduce((sum, { messageIDs }) => sum + messageIDs.length, 0);
const countIdsOf = ({ control }: RPC) =>
  control === undefined ? 0 : countIds(control.ihave) + countIds(control.iwant) + countIds(control.idontwant);

function controlRpc(control: Partial<RPC.ControlMessage>): RPC {
  return {
    subscriptions: [],
    messages: [],
    control: { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...control },
  };
}

function packIds<T extends Ids>(items: readonly T[]): T[][] {
  const packs: T[][] = [];
  let pack: T[] = [];
  let room = 0;
  for (const item of items) {
    for (let at = 0; at < item.messageIDs.length; ) {
      if (room === 0) {
        pack = [];
        packs.push(pack);
        room = MAX_IDS;
      }
      const messageIDs = item.messageIDs.slice(at, at + room);
      pack.push({ ...item, messageIDs });
      at += messageIDs.length;
      room -= messageIDs.length;
    }
  }
  return packs;
}

function batchMessages(messages: readonly RPC.Message[]): RPC.Message[][] {
  const batches: RPC.Message[][] = [];
  let batch: RPC.Message[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const sizeBytes = message.data?.length ?? 0;
    if (batch.length === MAX_MESSAGES || bytes + sizeBytes > MAX_MESSAGES_BYTES) {
      batch = [];
      batches.push(batch);
      bytes = 0;
    }
    batch.push(message);
    bytes += sizeBytes;
  }
  return batches;
}
