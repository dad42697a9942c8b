/** Frames that several attacks send. */
import { createHash } from "node:crypto";
import type { Random } from "../../base/random.ts";
import type { Frame } from "./attack.ts";
import { rpcFrame, type WireMessage, type WireRpc } from "./rpc.ts";

/** Bytes of a gossip message id on Ethereum. */
const MESSAGE_ID_BYTES = 20;

export function messageFrame(topic: string, data: Uint8Array, fields: Partial<WireMessage> = {}): Frame {
  return { bytes: rpcFrame({ messages: [{ topic, data, ...fields }] }), messages: 1 };
}

export function controlFrame(rpc: WireRpc): Frame {
  return { bytes: rpcFrame(rpc), messages: 0 };
}

/** Ids that no message has. */
export function randomIds(count: number, random: Random): Uint8Array[] {
  return Array.from({ length: count }, () => random.bytes(MESSAGE_ID_BYTES));
}

/** A peer id (a sha256 multihash) that nobody has. */
export function randomPeerId(random: Random): Uint8Array {
  const digest = createHash("sha256").update(random.bytes(32)).digest();
  return Buffer.concat([Uint8Array.of(0x12, digest.length), digest]);
}
