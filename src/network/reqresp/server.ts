/** The answering side of req/resp: reads a request within bounds, spends the peer's quota, streams the answer. */
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Counters } from "../counters.ts";
import { createByteReader } from "./byte_reader.ts";
import { RESP_TIMEOUT_MS, TTFB_TIMEOUT_MS } from "./client.ts";
import type { Protocol } from "./protocols.ts";
import { createRateLimit, type RateLimit } from "./rate_limit.ts";
import {
  encodeChunk,
  encodeError,
  RESULT_INVALID_REQUEST,
  RESULT_RATE_LIMITED,
  RESULT_SERVER_ERROR,
  type ResponseChunk,
  readPayload,
  sendBytes,
} from "./wire.ts";

/** Requests of one protocol that a connection may have open; libp2p resets the streams beyond. */
const MAX_CONCURRENT_REQUESTS = 2;

export interface RequestHandler {
  readonly protocol: Protocol;
  /** What the request costs of its protocol's quota; 1 where absent. Throws `BAD_PAYLOAD` on a malformed request. */
  cost?(ssz: Uint8Array): number;
  respond(ssz: Uint8Array, peerId: string): AsyncIterable<ResponseChunk>;
}

export interface ServerDependencies {
  readonly libp2p: Libp2p;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
}

export async function serveRequests(
  handlers: readonly RequestHandler[],
  dependencies: ServerDependencies,
): Promise<void> {
  const { libp2p, clock, log } = dependencies;
  const rateLimit = createRateLimit(clock);
  for (const handler of handlers) {
    const onStream = async (stream: Stream, connection: Connection) => {
      try {
        await serve(handler, stream, connection.remotePeer.toString(), rateLimit, dependencies);
      } catch (error) {
        const cause = error instanceof Error ? error : new Error(String(error));
        log.debug({ protocol: handler.protocol.id, error: errorMessage(error) }, "A request could not be answered");
        stream.abort(cause);
      }
    };
    await libp2p.handle(handler.protocol.id, onStream, { maxInboundStreams: MAX_CONCURRENT_REQUESTS });
  }
}

async function serve(
  handler: RequestHandler,
  stream: Stream,
  peerId: string,
  rateLimit: RateLimit,
  { clock, log, counters }: ServerDependencies,
): Promise<void> {
  const { protocol } = handler;
  const abort = new AbortController();
  const onTimeout = () => {
    const error = new CodedError("REQUEST_TIMEOUT", "The peer sends or reads too slowly");
    abort.abort(error);
    stream.abort(error);
  };
  let cancelTimer = clock.after(TTFB_TIMEOUT_MS, onTimeout);
  const extendTimer = () => {
    cancelTimer();
    cancelTimer = clock.after(RESP_TIMEOUT_MS, onTimeout);
  };
  const refuse = (result: number, reason: string) => sendBytes(stream, encodeError(result, reason), abort.signal);
  const reader = createByteReader(stream);
  try {
    let ssz: Uint8Array;
    let cost: number;
    try {
      ssz = protocol.request === null ? new Uint8Array() : await readPayload(reader, protocol.request);
      cost = handler.cost?.(ssz) ?? 1;
    } catch (error) {
      counters.badRequests++;
      if (stream.status === "open") await refuse(RESULT_INVALID_REQUEST, errorMessage(error));
      return;
    }
    extendTimer();
    if (!rateLimit.take(peerId, protocol.id, protocol.quota, cost)) {
      counters.rateLimitedRequests++;
      await refuse(RESULT_RATE_LIMITED, "rate limited, ask again later");
      return;
    }
    try {
      for await (const chunk of handler.respond(ssz, peerId)) {
        await sendBytes(stream, encodeChunk(chunk), abort.signal);
        extendTimer();
      }
    } catch (error) {
      if (error instanceof CodedError && error.code === "BAD_PAYLOAD") {
        counters.badRequests++;
        await refuse(RESULT_INVALID_REQUEST, error.message);
      } else if (stream.status === "open") {
        log.warn({ protocol: protocol.id, error: errorMessage(error) }, "Answering a peer's request failed");
        await refuse(RESULT_SERVER_ERROR, "internal error");
      }
    }
  } finally {
    reader.release();
    if (stream.status === "open") await stream.close({ signal: abort.signal });
    cancelTimer();
  }
}
