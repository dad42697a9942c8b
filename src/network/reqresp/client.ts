/** The asking side of req/resp. */
import type { Libp2p, PeerId, Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import type { Counters } from "../counters.ts";
import { createByteReader } from "./byte_reader.ts";
import type { Protocol } from "./protocols.ts";
import { encodePayload, type ResponseChunk, readChunk, sendBytes } from "./wire.ts";

/** Time to open the stream and see the first byte, and then for each chunk. @spec phase0/p2p-interface.md#configuration */
export const TTFB_TIMEOUT_MS = 5_000;
export const RESP_TIMEOUT_MS = 10_000;
/** Of one answer, all chunks together: what comes after is left unread, as if the peer had sent less. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

export interface RequestDependencies {
  readonly libp2p: Libp2p;
  readonly clock: Clock;
  readonly counters: Counters;
}

/**
 * Asks a connected peer and gives its answer, at most `maxChunks`.
 * Throws a `CodedError`: `REQUEST_TIMEOUT`, `BAD_RESPONSE`, or `REQUEST_FAILED` (not connected, protocol not spoken, refused).
 */
export async function request(
  peerId: PeerId,
  protocol: Protocol,
  ssz: Uint8Array | null,
  maxChunks: number,
  { libp2p, clock, counters }: RequestDependencies,
): Promise<ResponseChunk[]> {
  const fields = { peerId: peerId.toString(), protocol: protocol.id };
  // Never dials: a peer that has left is no peer to ask.
  const connection = libp2p.getConnections(peerId).find(({ status }) => status === "open");
  if (connection === undefined) throw new CodedError("REQUEST_FAILED", "The peer is not connected", fields);

  const abort = new AbortController();
  let stream: Stream | null = null;
  let timedOut = false;
  const onTimeout = () => {
    timedOut = true;
    const error = new Error("the peer took too long");
    abort.abort(error);
    stream?.abort(error);
  };
  let cancelTimer = clock.after(TTFB_TIMEOUT_MS, onTimeout);
  try {
    stream = await connection.newStream(protocol.id, { signal: abort.signal });
    const reader = createByteReader(stream);
    try {
      if (ssz !== null) await sendBytes(stream, encodePayload(ssz), abort.signal);
      await stream.close({ signal: abort.signal });
      const chunks: ResponseChunk[] = [];
      let sizeBytes = 0;
      while (chunks.length < maxChunks && sizeBytes < MAX_RESPONSE_BYTES) {
        const chunk = await readChunk(reader, protocol);
        if (chunk === null) break;
        chunks.push(chunk);
        sizeBytes += chunk.ssz.length;
        cancelTimer();
        cancelTimer = clock.after(RESP_TIMEOUT_MS, onTimeout);
      }
      return chunks;
    } finally {
      reader.release();
    }
  } catch (error) {
    stream?.abort(error instanceof Error ? error : new Error(String(error)));
    throw requestError(error, timedOut, fields, counters);
  } finally {
    cancelTimer();
    // What the peer still sends after the chunks asked for is not read.
    stream?.closeRead().catch(() => {});
  }
}

const MALFORMED = new Set(["BAD_LENGTH", "BAD_FRAMES", "BAD_PAYLOAD", "STREAM_ENDED"]);

/** Translates what went wrong into the codes that callers know, counted. Exported for answers that decode badly. */
export function requestError(
  error: unknown,
  timedOut: boolean,
  fields: { peerId: string; protocol: string },
  counters: Counters,
): CodedError {
  if (timedOut) {
    counters.requestTimeouts++;
    return new CodedError("REQUEST_TIMEOUT", "The peer did not answer in time", fields, error);
  }
  if (error instanceof CodedError && MALFORMED.has(error.code)) {
    counters.badResponses++;
    return new CodedError("BAD_RESPONSE", `The peer's answer is malformed: ${error.message}`, fields, error);
  }
  return new CodedError("REQUEST_FAILED", `The request failed: ${errorMessage(error)}`, fields, error);
}
