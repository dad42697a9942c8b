/**
 * The same `TraceEvent`s as go-libp2p-pubsub's `PBTracer` writes them, gzipped as its collector leaves them: what the tools of
 * go-libp2p-pubsub-tracer (`tracestat`) read. Made from the JSON, so that the two cannot differ.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

type Kind = "varint" | "bytes" | "string" | Message;
/** Field numbers by name, as in pb/trace.proto. */
type Message = { readonly [name: string]: readonly [number: number, kind: Kind] };

const IDS: Message = { messageIDs: [1, "bytes"] };
const TOPIC: Message = { topic: [1, "string"] };
const META: Message = {
  messages: [1, { messageID: [1, "bytes"], topic: [2, "string"] }],
  subscription: [2, { subscribe: [1, "varint"], topic: [2, "string"] }],
  control: [
    3,
    {
      ihave: [1, { topic: [1, "string"], messageIDs: [2, "bytes"] }],
      iwant: [2, IDS],
      graft: [3, TOPIC],
      prune: [4, TOPIC],
      idontwant: [5, IDS],
    },
  ],
};
const SENT: Message = { sendTo: [1, "bytes"], meta: [2, META] };
const MESH: Message = { peerID: [1, "bytes"], topic: [2, "string"] };

const TRACE_EVENT: Message = {
  type: [1, "varint"],
  peerID: [2, "bytes"],
  timestamp: [3, "varint"],
  publishMessage: [4, { messageID: [1, "bytes"], topic: [2, "string"] }],
  rejectMessage: [
    5,
    { messageID: [1, "bytes"], receivedFrom: [2, "bytes"], reason: [3, "string"], topic: [4, "string"] },
  ],
  duplicateMessage: [6, { messageID: [1, "bytes"], receivedFrom: [2, "bytes"], topic: [3, "string"] }],
  deliverMessage: [7, { messageID: [1, "bytes"], topic: [2, "string"], receivedFrom: [3, "bytes"] }],
  onNewOutboundStream: [8, { peerID: [1, "bytes"], proto: [2, "string"] }],
  onClosedOutboundStream: [9, { peerID: [1, "bytes"] }],
  recvRPC: [10, { receivedFrom: [1, "bytes"], meta: [2, META] }],
  sendRPC: [11, SENT],
  dropRPC: [12, SENT],
  join: [13, TOPIC],
  leave: [14, { topic: [2, "string"] }],
  graft: [15, MESH],
  prune: [16, MESH],
};

const LENGTH_DELIMITED = 2;

/** Each event behind its length. */
export async function writeProtobuf(jsonPath: string, path: string): Promise<void> {
  const lines = createInterface({ input: createReadStream(jsonPath), crlfDelay: Number.POSITIVE_INFINITY });
  await pipeline(lines, encodeLines, createGzip(), createWriteStream(path));
}

async function* encodeLines(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) {
    const bytes = encodeTraceEvent(line);
    yield Buffer.concat([varint(bytes.length), bytes]);
  }
}

/** @param line of JSON. */
export function encodeTraceEvent(line: string): Buffer {
  // Nanoseconds are beyond what JSON's numbers hold.
  const timestamp = BigInt(/"timestamp":(\d+)/.exec(line)?.[1] ?? 0);
  return encode(TRACE_EVENT, { ...JSON.parse(line), timestamp });
}

function encode(message: Message, value: Readonly<Record<string, unknown>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, [number, kind]] of Object.entries(message)) {
    const given = value[name];
    if (given === undefined) continue;
    for (const one of Array.isArray(given) ? given : [given]) {
      if (kind === "varint") parts.push(varint(number << 3), varint(one));
      else {
        const bytes =
          typeof kind === "string" ? Buffer.from(one, kind === "bytes" ? "base64" : "utf8") : encode(kind, one);
        parts.push(varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes);
      }
    }
  }
  return Buffer.concat(parts);
}

function varint(value: number | bigint | boolean): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
