/** Watches gossipsub from inside and records what it does. It hangs on as the cures do, and changes nothing. */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { CodedError } from "../../base/errors.ts";
import type { GossipsubInternals } from "../../network/gossipsub_internals.ts";
import { varintBytes } from "../../network/transport/outbound_rpcs.ts";
import { KnownTopics, readPlainRpc } from "../../network/transport/plain_rpc.ts";
import type { Names } from "./names.ts";
import { RecordBuilder, type RpcKind } from "./trace_records.ts";
import type { TraceSink } from "./trace_writer.ts";

export interface TracerOptions {
  readonly node: number;
  readonly names: Names;
  readonly sink: TraceSink;
  /** Microseconds, whole. */
  now(): number;
  /** Full topic strings. */
  readonly topics: readonly string[];
}

export interface Tracer {
  /** Before the first connection, after all cures. */
  attach(pubsub: GossipsubInternals): void;
  /** A message is handed in by an application. */
  published(message: number, lateMs: number): void;
  /** What the verdict of the message that is being judged has cost. */
  judged(elapsedMs: number): void;
  /** Writes mesh sizes and scores. */
  sample(): void;
}

/** The parts that only a tracer looks at. */
interface TracedGossipsub extends GossipsubInternals {
  readonly streamsOutbound: Map<string, OutboundStream>;
  sendRpc(id: string, rpc: RPC): boolean;
  sendRpcInBatch(ids: Set<string>, rpc: RPC): void;
  readonly score: GossipsubInternals["score"] & {
    graft(id: string, topic: string): void;
    prune(id: string, topic: string): void;
  };
}

interface OutboundStream {
  readonly protocol: string;
  pushPrefixed(data: FrameBytes): void;
}

/** A frame with its length prefix, in one piece or several. */
type FrameBytes = { readonly byteLength: number; subarray(): Uint8Array };

export function createTracer({ node, names, sink, now, topics }: TracerOptions): Tracer {
  let gossipsub: TracedGossipsub | null = null;
  let judgedUs = 0;
  const known = new KnownTopics();
  for (const topic of topics) known.learn(topic);
  /** Of a frame that comes by another way than `sendRpc`. */
  const decode = (bytes: Uint8Array) => readPlainRpc(bytes, known) ?? RPC.decode(bytes);

  const builder = new RecordBuilder(names);
  const take = (record: RecordBuilder) => {
    endSends();
    sink.take(record.end(now()));
  };
  const event = (kind: string, fields: string) => take(builder.text(`"e":"${kind}","n":${node}${fields}`));
  const rpcEvent = (kind: RpcKind, peer: number, bytes: number, rpc: RPC) =>
    take(builder.rpc(kind, node, bytes, rpc).peer(peer));

  const sends = new RecordBuilder(names);
  /** The frame that goes to one peer after the other just now; it is gathered there till the end of the turn in any case. */
  let sentFrame: FrameBytes | null = null;
  let sentUs = 0;

  function sent(peer: number, frame: FrameBytes, rpcOf: (frame: FrameBytes) => RPC): void {
    if (frame !== sentFrame) {
      endSends();
      sends.rpc("send", node, frame.byteLength, rpcOf(frame));
      sentFrame = frame;
      sentUs = now();
      // Before anything else happens, so that records stay in order of time.
      queueMicrotask(endSends);
    }
    sends.peer(peer);
  }

  function endSends(): void {
    if (sentFrame === null) return;
    sentFrame = null;
    sink.take(sends.end(sentUs));
  }

  function traceOutbound(pubsub: TracedGossipsub): void {
    /** What is on its way into a stream: its bytes come to us encoded. */
    let sending: RPC | null = null;
    const rpcOf = (frame: FrameBytes) => sending ?? decode(withoutPrefix(frame));

    const sendRpc = pubsub.sendRpc.bind(pubsub);
    pubsub.sendRpc = (id, rpc) => {
      sending = rpc;
      try {
        return sendRpc(id, rpc);
      } finally {
        sending = null;
      }
    };
    const sendRpcInBatch = pubsub.sendRpcInBatch.bind(pubsub);
    pubsub.sendRpcInBatch = (ids, rpc) => {
      sending = rpc;
      try {
        sendRpcInBatch(ids, rpc);
      } finally {
        sending = null;
      }
    };

    const streams = pubsub.streamsOutbound;
    const set = streams.set.bind(streams);
    streams.set = (id, stream) => {
      const peer = names.peer(id);
      const pushPrefixed = stream.pushPrefixed.bind(stream);
      stream.pushPrefixed = (frame) => {
        try {
          pushPrefixed(frame);
        } catch (error) {
          rpcEvent("drop", peer, frame.byteLength, rpcOf(frame));
          throw error;
        }
        sent(peer, frame, rpcOf);
      };
      event("open", `,"p":${peer},"proto":"${stream.protocol}"`);
      return set(id, stream);
    };
    const remove = streams.delete.bind(streams);
    streams.delete = (id) => {
      if (streams.has(id)) event("close", `,"p":${names.peer(id)}`);
      return remove(id);
    };
    const clear = streams.clear.bind(streams);
    streams.clear = () => {
      for (const id of streams.keys()) event("close", `,"p":${names.peer(id)}`);
      clear();
    };
  }

  function traceInbound(pubsub: TracedGossipsub): void {
    let frameBytes = 0;
    const decodeRpc = pubsub.decodeRpc.bind(pubsub);
    pubsub.decodeRpc = (bytes) => {
      frameBytes = bytes.length + varintBytes(bytes.length);
      return decodeRpc(bytes);
    };
    const handleReceivedRpc = pubsub.handleReceivedRpc.bind(pubsub);
    pubsub.handleReceivedRpc = (from, rpc) => {
      rpcEvent("recv", names.peer(from.toString()), frameBytes, rpc);
      return handleReceivedRpc(from, rpc);
    };
  }

  function traceMessages(pubsub: TracedGossipsub): void {
    const { score } = pubsub;
    const duplicateMessage = score.duplicateMessage.bind(score);
    score.duplicateMessage = (from, messageId, topic) => {
      take(builder.duplicate(node, names.peer(from), names.message(messageId, names.topic(topic))));
      duplicateMessage(from, messageId, topic);
    };
    const report = pubsub.reportMessageValidationResult.bind(pubsub);
    pubsub.reportMessageValidationResult = (messageId, source, acceptance) => {
      const peer = names.peer(source);
      const message = names.message(messageId, -1);
      if (acceptance === "accept") take(builder.deliver(node, peer, message, judgedUs));
      else event("reject", `,"p":${peer},"m":${message},"reason":"${acceptance}"`);
      judgedUs = 0;
      report(messageId, source, acceptance);
    };
  }

  function traceMesh(pubsub: TracedGossipsub): void {
    const { score } = pubsub;
    for (const kind of ["graft", "prune"] as const) {
      const original = score[kind].bind(score);
      score[kind] = (id, topic) => {
        const index = names.topic(topic);
        if (index >= 0) event(kind, `,"p":${names.peer(id)},"c":${index}`);
        original(id, topic);
      };
    }
    for (const [method, kind] of [
      ["subscribe", "join"],
      ["unsubscribe", "leave"],
    ] as const) {
      const original = pubsub[method].bind(pubsub);
      pubsub[method] = (topic) => {
        const index = names.topic(topic);
        if (index >= 0) event(kind, `,"c":${index}`);
        original(topic);
      };
    }
  }

  return {
    attach(pubsub) {
      gossipsub = traceable(pubsub);
      traceOutbound(gossipsub);
      traceInbound(gossipsub);
      traceMessages(gossipsub);
      traceMesh(gossipsub);
    },
    published: (message, lateMs) => event("publish", `,"m":${message},"late":${Math.round(lateMs * 1000)}`),
    judged(elapsedMs) {
      judgedUs = Math.round(elapsedMs * 1000);
    },
    sample() {
      if (gossipsub === null) return;
      const { mesh, peers } = gossipsub;
      const sizes = topics.map((topic) => mesh.get(topic)?.size ?? 0);
      const scores = [...peers.keys()].map((id) => Math.round(100 * (gossipsub?.getScore(id) ?? 0)) / 100);
      event("sample", `,"mesh":[${sizes}],"scores":[${scores}]`);
    },
  };
}

/** Throws a `CodedError` `LIBRARY_CHANGED`, as the cures do: a trace with holes would be worse than none. */
function traceable(pubsub: GossipsubInternals): TracedGossipsub {
  const traced = pubsub as TracedGossipsub;
  const parts: Record<string, unknown> = {
    sendRpc: traced.sendRpc,
    sendRpcInBatch: traced.sendRpcInBatch,
    "score.graft": traced.score.graft,
    "score.prune": traced.score.prune,
  };
  const [moved] = Object.entries(parts).find(([, part]) => typeof part !== "function") ?? [];
  if (moved === undefined) return traced;
  throw new CodedError("LIBRARY_CHANGED", `gossipsub has no "${moved}": its events cannot be traced`, { path: moved });
}

function withoutPrefix(frame: FrameBytes): Uint8Array {
  const bytes = frame instanceof Uint8Array ? frame : frame.subarray();
  let offset = 0;
  while (((bytes[offset] ?? 0) & 0x80) !== 0) offset++;
  return bytes.subarray(offset + 1);
}
