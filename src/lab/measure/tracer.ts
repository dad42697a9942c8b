/**
 * Watches gossipsub from inside and writes what it does as trace lines. It hangs on as the cures do, and changes nothing.
 * Lines are put together by hand: `JSON.stringify` costs ten times as much, and a busy run writes 30,000 lines a second.
 */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { CodedError } from "../../base/errors.ts";
import type { GossipsubInternals } from "../../network/gossipsub_internals.ts";
import type { Names } from "./names.ts";

export interface TracerOptions {
  readonly node: number;
  readonly names: Names;
  write(line: string): void;
  /** Microseconds, whole. */
  now(): number;
  /** Full topic strings, for samples. */
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

export function createTracer({ node, names, write, now, topics }: TracerOptions): Tracer {
  let gossipsub: TracedGossipsub | null = null;
  let judgedUs = 0;

  const event = (kind: string, fields: string) => write(`{"t":${now()},"e":"${kind}","n":${node}${fields}}`);

  function traceOutbound(pubsub: TracedGossipsub): void {
    /** What is on its way into a stream: its bytes come to us encoded. */
    let sending: RPC | null = null;
    /** Of frames that come by another way than `sendRpc`; the same one goes to many peers. */
    let decoded: { readonly frame: FrameBytes; readonly fields: string } | null = null;

    function fieldsOfFrame(frame: FrameBytes): string {
      if (sending !== null) return rpcFields(sending, names);
      if (decoded?.frame !== frame) decoded = { frame, fields: rpcFields(RPC.decode(withoutPrefix(frame)), names) };
      return decoded.fields;
    }

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
          event("drop", `,"p":${peer},"b":${frame.byteLength}${fieldsOfFrame(frame)}`);
          throw error;
        }
        event("send", `,"p":${peer},"b":${frame.byteLength}${fieldsOfFrame(frame)}`);
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
      frameBytes = bytes.length + prefixBytes(bytes.length);
      return decodeRpc(bytes);
    };
    const handleReceivedRpc = pubsub.handleReceivedRpc.bind(pubsub);
    pubsub.handleReceivedRpc = (from, rpc) => {
      event("recv", `,"p":${names.peer(from.toString())},"b":${frameBytes}${rpcFields(rpc, names)}`);
      return handleReceivedRpc(from, rpc);
    };
  }

  function traceMessages(pubsub: TracedGossipsub): void {
    const { score } = pubsub;
    const duplicateMessage = score.duplicateMessage.bind(score);
    score.duplicateMessage = (from, messageId, topic) => {
      event("duplicate", `,"p":${names.peer(from)},"m":${names.message(messageId, names.topic(topic))}`);
      duplicateMessage(from, messageId, topic);
    };
    const report = pubsub.reportMessageValidationResult.bind(pubsub);
    pubsub.reportMessageValidationResult = (messageId, source, acceptance) => {
      const fields = `,"p":${names.peer(source)},"m":${names.message(messageId, -1)}`;
      if (acceptance === "accept") event("deliver", `${fields},"v":${judgedUs}`);
      else event("reject", `${fields},"reason":"${acceptance}"`);
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
      const scores = [...peers.keys()].map((id) => Number(gossipsub?.getScore(id).toFixed(2)));
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

function prefixBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function withoutPrefix(frame: FrameBytes): Uint8Array {
  const bytes = frame instanceof Uint8Array ? frame : frame.subarray();
  let offset = 0;
  while (((bytes[offset] ?? 0) & 0x80) !== 0) offset++;
  return bytes.subarray(offset + 1);
}

/** The fields of a trace line after `b`. */
export function rpcFields({ subscriptions, messages, control }: RPC, names: Names): string {
  let fields = "";
  if (messages.length > 0) {
    const list = messages.map(({ topic, data }) => names.messageOf(topic, data ?? new Uint8Array()));
    fields += `,"m":[${list}]`;
  }
  if (subscriptions.length > 0) {
    const traced = (subscribe: boolean) =>
      subscriptions
        .filter((entry) => (entry.subscribe === true) === subscribe)
        .map(({ topic }) => names.topic(topic ?? ""))
        .filter((index) => index >= 0);
    fields += list("sub", traced(true)) + list("unsub", traced(false));
  }
  return control === undefined || control === null ? fields : fields + controlFields(control, names);
}

function controlFields({ ihave, iwant, graft, prune, idontwant }: RPC.ControlMessage, names: Names): string {
  const ids = (messageIDs: readonly Uint8Array[], topic = -1) =>
    messageIDs.map((id) => names.messageOfId(id, topic)).join();
  const topicIndices = (entries: readonly { topicID?: string }[]) =>
    entries.map(({ topicID }) => names.topic(topicID ?? ""));
  let fields = "";
  if (ihave?.length > 0) {
    const entries = ihave.map(({ topicID, messageIDs }) => {
      const topic = names.topic(topicID ?? "");
      return `[${topic},[${ids(messageIDs, topic)}]]`;
    });
    fields += `,"ihave":[${entries}]`;
  }
  if (iwant?.length > 0) fields += `,"iwant":[${iwant.map(({ messageIDs }) => `[${ids(messageIDs)}]`)}]`;
  if (graft?.length > 0) fields += list("graft", topicIndices(graft));
  if (prune?.length > 0) fields += list("prune", topicIndices(prune));
  if (idontwant?.length > 0) fields += `,"idontwant":[${idontwant.map(({ messageIDs }) => `[${ids(messageIDs)}]`)}]`;
  return fields;
}

function list(name: string, values: readonly number[]): string {
  return values.length === 0 ? "" : `,"${name}":[${values}]`;
}
