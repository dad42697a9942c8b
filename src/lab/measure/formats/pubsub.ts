/**
 * go-libp2p-pubsub's `TraceEvent`, as its `JSONTracer` writes it: Go's JSON of the protobuf struct, bytes in base64, the kind
 * as a number, nanoseconds. Names are those of v0.19, which calls ADD_PEER and REMOVE_PEER (4, 5) after their streams.
 */
import { peerIdFromString } from "@libp2p/peer-id";
import type { RpcFields, TraceEvent } from "../trace.ts";
import type { TraceNames } from "../trace_names.ts";

const KIND = {
  publish: 0,
  reject: 1,
  duplicate: 2,
  deliver: 3,
  open: 4,
  close: 5,
  recv: 6,
  send: 7,
  drop: 8,
  join: 9,
  leave: 10,
  graft: 11,
  prune: 12,
} as const;

/** What JS calls a verdict, in Go's words. */
const REASONS: Readonly<Record<string, string>> = { reject: "validation failed", ignore: "validation ignored" };

/** Lines with their newlines; empty for what Go has no event for. */
export function pubsubLines(event: TraceEvent, names: TraceNames): string {
  if (!(event.e in KIND) || !("n" in event)) return "";
  const body = bodyOf(event, names);
  if (body === null) return "";
  const line = (kind: number, fields: string) =>
    `{"type":${kind},"peerID":${peerBytes(names.peer(event.n))},"timestamp":${nanoseconds(event.t, names)},${fields}}\n`;
  const own = line(KIND[event.e as keyof typeof KIND], body);
  if (event.e !== "publish") return own;
  // Go's publisher delivers to itself, and its tools count that.
  const fields = `${messageFields(event.m, names)},"receivedFrom":${peerBytes(names.peer(event.n))}`;
  return own + line(KIND.deliver, `"deliverMessage":{${fields}}`);
}

function bodyOf(event: TraceEvent, names: TraceNames): string | null {
  switch (event.e) {
    case "publish":
      return `"publishMessage":{${messageFields(event.m, names)}}`;
    case "reject": {
      const reason = JSON.stringify(REASONS[event.reason] ?? event.reason);
      return `"rejectMessage":{${messageFields(event.m, names)},"receivedFrom":${peerBytes(names.peer(event.p))},"reason":${reason}}`;
    }
    case "duplicate":
      return `"duplicateMessage":{${messageFields(event.m, names)},"receivedFrom":${peerBytes(names.peer(event.p))}}`;
    case "deliver":
      return `"deliverMessage":{${messageFields(event.m, names)},"receivedFrom":${peerBytes(names.peer(event.p))}}`;
    case "open":
      return `"onNewOutboundStream":{"peerID":${peerBytes(names.peer(event.p))},"proto":${JSON.stringify(event.proto)}}`;
    case "close":
      return `"onClosedOutboundStream":{"peerID":${peerBytes(names.peer(event.p))}}`;
    case "recv":
      return `"recvRPC":{"receivedFrom":${peerBytes(names.peer(event.p))},"meta":${metaOf(event, names)}}`;
    case "send":
    case "drop":
      return `"${event.e}RPC":{"sendTo":${peerBytes(names.peer(event.p))},"meta":${metaOf(event, names)}}`;
    case "join":
    case "leave":
      return `"${event.e}":{"topic":${JSON.stringify(names.topic(event.c))}}`;
    case "graft":
    case "prune":
      return `"${event.e}":{"peerID":${peerBytes(names.peer(event.p))},"topic":${JSON.stringify(names.topic(event.c))}}`;
    default:
      return null;
  }
}

function metaOf(
  { m, sub = [], unsub = [], ihave, iwant, graft, prune, idontwant }: RpcFields,
  names: TraceNames,
): string {
  const ids = (list: readonly number[]) => list.map((index) => messageBytes(index, names));
  const topic = (index: number) => names.topic(index);
  const meta: Record<string, unknown> = {};
  if (m !== undefined)
    meta.messages = m.map((index) => ({ messageID: messageBytes(index, names), topic: names.topicOf(index) }));
  if (sub.length + unsub.length > 0) {
    meta.subscription = [
      ...sub.map((index) => ({ subscribe: true, topic: topic(index) })),
      ...unsub.map((index) => ({ subscribe: false, topic: topic(index) })),
    ];
  }
  const control: Record<string, unknown> = {};
  if (ihave !== undefined)
    control.ihave = ihave.map(([index, list]) => ({ topic: topic(index), messageIDs: ids(list) }));
  if (iwant !== undefined) control.iwant = iwant.map((list) => ({ messageIDs: ids(list) }));
  if (graft !== undefined) control.graft = graft.map((index) => ({ topic: topic(index) }));
  if (prune !== undefined) control.prune = prune.map((index) => ({ topic: topic(index) }));
  if (idontwant !== undefined) control.idontwant = idontwant.map((list) => ({ messageIDs: ids(list) }));
  if (Object.keys(control).length > 0) meta.control = control;
  return JSON.stringify(meta);
}

function messageFields(message: number, names: TraceNames): string {
  return `"messageID":"${messageBytes(message, names)}","topic":${JSON.stringify(names.topicOf(message))}`;
}

/** Base64. */
function messageBytes(message: number, names: TraceNames): string {
  return Buffer.from(names.message(message), "hex").toString("base64");
}

/** Peer ids by their text, with the bytes as JSON: a trace names the same few over and over. */
const peers = new Map<string, string>();
/** More than any run has; then it begins anew. */
const MAX_PEERS = 100_000;

function peerBytes(id: string): string {
  let bytes = peers.get(id);
  if (bytes === undefined) {
    bytes = id === "" ? '""' : `"${Buffer.from(peerIdFromString(id).toMultihash().bytes).toString("base64")}"`;
    if (peers.size >= MAX_PEERS) peers.clear();
    peers.set(id, bytes);
  }
  return bytes;
}

function nanoseconds(us: number, { header }: TraceNames): bigint {
  return BigInt(Math.round(header.epochMs)) * 1_000_000n + BigInt(us) * 1_000n;
}
