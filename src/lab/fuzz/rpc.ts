/**
 * Gossipsub RPCs as bytes, written by hand: attacks need fields, values and sizes that no library's encoder writes.
 * Field numbers are those of gossipsub's rpc.proto.
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** The largest uint64: what an honest backoff never is. */
export const UINT64_MAX = 2n ** 64n - 1n;

export interface WireMessage {
  readonly topic: string;
  readonly data: Uint8Array;
  readonly from?: Uint8Array;
  readonly seqno?: Uint8Array;
  readonly signature?: Uint8Array;
  readonly key?: Uint8Array;
}

export interface WirePrune {
  readonly topic: string;
  /** Seconds. */
  readonly backoff?: bigint;
  readonly peers?: readonly { readonly peerId: Uint8Array; readonly signedPeerRecord?: Uint8Array }[];
}

export interface WireRpc {
  readonly subscriptions?: readonly { readonly topic: string; readonly subscribe: boolean }[];
  readonly messages?: readonly WireMessage[];
  readonly ihave?: readonly { readonly topic: string; readonly messageIds: readonly Uint8Array[] }[];
  readonly iwant?: readonly (readonly Uint8Array[])[];
  readonly graft?: readonly string[];
  readonly prune?: readonly WirePrune[];
  readonly idontwant?: readonly (readonly Uint8Array[])[];
}

/** An unsigned LEB128, of a uint64 at most. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    bytes.push(Number(rest & 0x7fn) | (rest < 0x80n ? 0 : 0x80));
    if (rest < 0x80n) return Uint8Array.from(bytes);
  }
}

/** One length-delimited field of a protobuf message. */
export function bytesField(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  return Buffer.concat([varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

function varintField(number: number, value: number | bigint): Uint8Array {
  return Buffer.concat([varint((number << 3) | VARINT), varint(value)]);
}

function optional(number: number, value: Uint8Array | undefined): Uint8Array[] {
  return value === undefined ? [] : [bytesField(number, value)];
}

function encodeMessage({ topic, data, from, seqno, signature, key }: WireMessage): Uint8Array {
  return Buffer.concat([
    ...optional(1, from),
    bytesField(2, data),
    ...optional(3, seqno),
    bytesField(4, topic),
    ...optional(5, signature),
    ...optional(6, key),
  ]);
}

function encodePrune({ topic, backoff, peers = [] }: WirePrune): Uint8Array {
  const infos = peers.map(({ peerId, signedPeerRecord }) =>
    bytesField(2, Buffer.concat([bytesField(1, peerId), ...optional(2, signedPeerRecord)])),
  );
  return Buffer.concat([bytesField(1, topic), ...infos, ...(backoff === undefined ? [] : [varintField(3, backoff)])]);
}

const idList = (ids: readonly Uint8Array[], number: number) => Buffer.concat(ids.map((id) => bytesField(number, id)));

/** The body of an RPC, without its length. */
export function encodeRpc(rpc: WireRpc): Uint8Array {
  const { subscriptions = [], messages = [], ihave = [], iwant = [], graft = [], prune = [], idontwant = [] } = rpc;
  const control = Buffer.concat([
    ...ihave.map(({ topic, messageIds }) =>
      bytesField(1, Buffer.concat([bytesField(1, topic), idList(messageIds, 2)])),
    ),
    ...iwant.map((ids) => bytesField(2, idList(ids, 1))),
    ...graft.map((topic) => bytesField(3, bytesField(1, topic))),
    ...prune.map((entry) => bytesField(4, encodePrune(entry))),
    ...idontwant.map((ids) => bytesField(5, idList(ids, 1))),
  ]);
  return Buffer.concat([
    ...subscriptions.map(({ topic, subscribe }) =>
      bytesField(1, Buffer.concat([varintField(1, subscribe ? 1 : 0), bytesField(2, topic)])),
    ),
    ...messages.map((message) => bytesField(2, encodeMessage(message))),
    ...(control.length === 0 ? [] : [bytesField(3, control)]),
  ]);
}

/** A frame as it goes on a stream: the body behind its length. */
export function frameOf(body: Uint8Array): Uint8Array {
  return Buffer.concat([varint(body.length), body]);
}

export function rpcFrame(rpc: WireRpc): Uint8Array {
  return frameOf(encodeRpc(rpc));
}
