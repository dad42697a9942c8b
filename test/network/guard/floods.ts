/** Floods over a raw peer's stream: 10,000 frames a second of one kind, until it is hung up. */
import { hash } from "node:crypto";
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { systemClock } from "../../../src/base/clock.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import { DIGEST, EXIT_TOPIC, exitBytes } from "../nodes.ts";
import { controlRpc, encodeFrame } from "../raw_peer.ts";

const FRAMES_PER_SECOND = 10_000;
const BATCH_MS = 10;
const BATCH = (FRAMES_PER_SECOND * BATCH_MS) / 1000;
/** Frames made in advance, then repeated but for messages, which must differ. */
const PREPARED = 12_000;

const idOf = (i: number) => hash("sha256", `${i}`, "buffer").subarray(0, 20);

/** An exit's size of bytes, no two alike. */
function wireData(i: number): Uint8Array {
  const bytes = Buffer.from(exitBytes(1));
  bytes.writeUInt32LE(i);
  return compressBlock(bytes);
}

const message = (i: number, fields: Partial<RPC.Message> = {}) => ({
  messages: [{ topic: EXIT_TOPIC, data: wireData(i), ...fields }],
});
const LEFT_TOPIC = `/eth2/${DIGEST}/beacon_attestation_9/ssz_snappy`;

/** By what they are: the frame of number `i`. */
export const FLOODS = {
  "empty frames": () => Uint8Array.of(0),
  "frames that do not decode": () => Uint8Array.of(3, 0xff, 0xff, 0xff),
  "RPCs that say nothing": () => encodeFrame(controlRpc({})),
  "messages on unknown topics": (i: number) =>
    encodeFrame({ messages: [{ topic: `/novel/${i}`, data: Uint8Array.of(1) }] }),
  "messages on a topic that we have not joined": (i: number) =>
    encodeFrame({ messages: [{ topic: LEFT_TOPIC, data: wireData(i) }] }),
  messages: (i: number) => encodeFrame(message(i)),
  "one message again and again": () => encodeFrame(message(0)),
  "messages with a from field": (i: number) => encodeFrame(message(i, { from: new Uint8Array(8) })),
  subscriptions: (i: number) => encodeFrame({ subscriptions: [{ topic: EXIT_TOPIC, subscribe: i % 2 === 0 }] }),
  "subscriptions to novel topics": (i: number) =>
    encodeFrame({ subscriptions: [{ topic: `/novel/${i}`, subscribe: true }] }),
  IHAVE: (i: number) => encodeFrame(controlRpc({ ihave: [{ topicID: EXIT_TOPIC, messageIDs: [idOf(i)] }] })),
  IWANT: (i: number) => encodeFrame(controlRpc({ iwant: [{ messageIDs: [idOf(i)] }] })),
  GRAFT: () => encodeFrame(controlRpc({ graft: [{ topicID: EXIT_TOPIC }] })),
  "GRAFT in backoff": (i: number) =>
    encodeFrame(
      controlRpc(i === 0 ? { prune: [{ topicID: EXIT_TOPIC, peers: [] }] } : { graft: [{ topicID: EXIT_TOPIC }] }),
    ),
  "GRAFT of novel topics": (i: number) => encodeFrame(controlRpc({ graft: [{ topicID: `/novel/${i}` }] })),
  PRUNE: () => encodeFrame(controlRpc({ prune: [{ topicID: EXIT_TOPIC, peers: [], backoff: 2 ** 40 }] })),
  IDONTWANT: (i: number) =>
    encodeFrame(controlRpc({ idontwant: [{ messageIDs: Array.from({ length: 8 }, (_, j) => idOf(8 * i + j)) }] })),
} as const;
export type FloodName = keyof typeof FLOODS;

/** Frames in batches, each to be sent every 10 ms. */
export function prepareFlood(name: FloodName): Uint8Array[] {
  const frame: (i: number) => Uint8Array = FLOODS[name];
  return Array.from({ length: PREPARED / BATCH }, (_, batch) =>
    Buffer.concat(Array.from({ length: BATCH }, (_, i) => frame(batch * BATCH + i))),
  );
}

/** Sends at the full rate until `isOver`, or all is sent. Gives the time that it took, in milliseconds. */
export async function flood(
  batches: readonly Uint8Array[],
  sendBytes: (bytes: Uint8Array) => void,
  isOver: () => boolean,
): Promise<number> {
  const startMs = systemClock.monotonicMs();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const cancel = systemClock.every(BATCH_MS / 2, () => {
      const due = Math.min(batches.length, Math.floor((systemClock.monotonicMs() - startMs) / BATCH_MS) + 1);
      try {
        while (sent < due && !isOver()) sendBytes(batches[sent++] as Uint8Array);
      } catch {
        // The stream is gone.
        sent = batches.length;
      }
      if (!isOver() && sent < batches.length) return;
      cancel();
      resolve();
    });
  });
  return systemClock.monotonicMs() - startMs;
}
