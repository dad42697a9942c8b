/** Bytes that control messages take in an RPC: gossipsub tells counts, protobuf's rules the rest. */
import type { RpcFields } from "./trace.ts";

/** Ethereum's message ids, with key and length. */
const ID_BYTES = 22;
/** A backoff in a PRUNE: key, and a minute as a varint. */
const BACKOFF_BYTES = 2;

/** Key and length around a body. */
function field(bodyBytes: number): number {
  let prefix = 2;
  for (let rest = bodyBytes; rest >= 128; rest = Math.floor(rest / 128)) prefix++;
  return prefix + bodyBytes;
}

export const ihaveBytes = (topic: string, ids: number): number => field(field(topic.length) + ids * ID_BYTES);
export const idListBytes = (ids: number): number => field(ids * ID_BYTES);
export const graftBytes = (topic: string): number => field(field(topic.length));
export const pruneBytes = (topic: string): number => field(field(topic.length) + BACKOFF_BYTES);
/** With its flag. */
export const subscriptionBytes = (topic: string): number => field(2 + field(topic.length));

export type ControlFields = Omit<RpcFields, "b" | "m">;
