/** Req/resp as one part of the network: what we serve from the backend, what we ask, and the Status handshake. */
import type { Connection, Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Counters } from "../counters.ts";
import type { ReqRespBackend, StatusMessage, WireBlock } from "../network.ts";
import { request, requestError } from "./client.ts";
import {
  decodeBlocksByRange,
  decodeBlocksByRoot,
  decodeStatus,
  encodeBlocksByRange,
  encodeBlocksByRoot,
  encodeMetadata,
  encodeStatus,
  encodeUint64,
  MAX_REQUEST_BLOCKS,
  METADATA_V3_SIZE,
  STATUS_V1_SIZE,
  STATUS_V2_SIZE,
} from "./messages.ts";
import {
  BLOCKS_BY_RANGE_V2,
  BLOCKS_BY_ROOT_V2,
  GOODBYE_IRRELEVANT_NETWORK,
  GOODBYE_SHUTDOWN,
  GOODBYE_V1,
  METADATA_V3,
  PING_V1,
  type Protocol,
  STATUS_V1,
  STATUS_V2,
} from "./protocols.ts";
import { type RequestHandler, serveRequests } from "./server.ts";
import type { ResponseChunk } from "./wire.ts";

export interface ReqRespDependencies {
  readonly libp2p: Libp2p;
  readonly backend: ReqRespBackend;
  /** Fork digests (hex) that peers of this network may be at: ours, and those of the topics subscribed to. */
  readonly relevantDigests: () => Set<string>;
  readonly hangUp: (peerId: PeerId, reason: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
}

export interface ReqResp {
  start(): Promise<void>;
  /**
   * Exchanges Status, once a connection, with a peer that has told us its protocols, as it may do any number of times.
   * One that does not speak Status stays, unused for sync.
   */
  greet(connection: Connection, protocols: readonly string[]): Promise<void>;
  /** Tells every peer that we leave; resolves when they have heard, or do not listen. */
  sayGoodbye(): Promise<void>;
  requestStatus(peerId: string): Promise<StatusMessage>;
  requestBlocksByRange(peerId: string, startSlot: number, count: number): Promise<WireBlock[]>;
  requestBlocksByRoot(peerId: string, roots: Uint8Array[]): Promise<WireBlock[]>;
}

const NO_CONTEXT = new Uint8Array();

export function createReqResp(dependencies: ReqRespDependencies): ReqResp {
  const { libp2p, backend, relevantDigests, hangUp, log, counters } = dependencies;
  const greeted = new WeakSet<Connection>();

  function receiveStatus(peerId: PeerId, status: StatusMessage): void {
    const digest = Buffer.from(status.forkDigest).toString("hex");
    if (relevantDigests().has(digest)) {
      backend.onStatus(peerId.toString(), status);
      return;
    }
    counters.irrelevantPeers++;
    log.debug({ peerId: peerId.toString(), digest }, "The peer is on another network");
    goodbye(peerId, GOODBYE_IRRELEVANT_NETWORK).finally(() => hangUp(peerId, "IRRELEVANT_NETWORK"));
  }

  /** Best effort: the peer may be gone, or not speak the protocol. */
  async function goodbye(peerId: PeerId, reason: bigint): Promise<void> {
    await request(peerId, GOODBYE_V1, encodeUint64(reason), 1, dependencies).catch(() => {});
  }

  async function exchangeStatus(peerId: PeerId, protocol: Protocol, size: number): Promise<StatusMessage> {
    const ssz = encodeStatus(backend.getStatus(), size);
    const [chunk] = await request(peerId, protocol, ssz, 1, dependencies);
    const fields = { peerId: peerId.toString(), protocol: protocol.id };
    try {
      if (chunk === undefined) throw new CodedError("STREAM_ENDED", "the answer is empty");
      return decodeStatus(chunk.ssz);
    } catch (error) {
      throw requestError(error, false, fields, counters);
    }
  }

  function statusHandler(protocol: Protocol, size: number): RequestHandler {
    return {
      protocol,
      async *respond(ssz, peerId) {
        const status = decodeStatus(ssz);
        yield { context: NO_CONTEXT, ssz: encodeStatus(backend.getStatus(), size) };
        receiveStatus(peerIdFromString(peerId), status);
      },
    };
  }

  const handlers: RequestHandler[] = [
    statusHandler(STATUS_V2, STATUS_V2_SIZE),
    statusHandler(STATUS_V1, STATUS_V1_SIZE),
    {
      protocol: GOODBYE_V1,
      async *respond(_ssz, peerId) {
        yield { context: NO_CONTEXT, ssz: encodeUint64(GOODBYE_SHUTDOWN) };
        hangUp(peerIdFromString(peerId), "GOODBYE_RECEIVED");
      },
    },
    {
      protocol: PING_V1,
      async *respond() {
        yield { context: NO_CONTEXT, ssz: encodeUint64(0n) };
      },
    },
    {
      protocol: METADATA_V3,
      async *respond() {
        yield { context: NO_CONTEXT, ssz: encodeMetadata(METADATA_V3_SIZE) };
      },
    },
    {
      protocol: BLOCKS_BY_RANGE_V2,
      cost: (ssz) => decodeBlocksByRange(ssz).count,
      respond(ssz) {
        const { startSlot, count } = decodeBlocksByRange(ssz);
        return toChunks(backend.getBlocksByRange(startSlot, count), count);
      },
    },
    {
      protocol: BLOCKS_BY_ROOT_V2,
      cost: (ssz) => decodeBlocksByRoot(ssz).length,
      respond(ssz) {
        const roots = decodeBlocksByRoot(ssz);
        return toChunks(backend.getBlocksByRoot(roots), roots.length);
      },
    },
  ];

  async function requestBlocks(
    peerId: string,
    protocol: Protocol,
    ssz: Uint8Array,
    maxBlocks: number,
  ): Promise<WireBlock[]> {
    const chunks = await request(parsePeerId(peerId), protocol, ssz, maxBlocks, dependencies);
    return chunks.map(({ context, ssz }) => ({ forkDigest: Buffer.from(context).toString("hex"), ssz }));
  }

  return {
    start: () => serveRequests(handlers, dependencies),
    async greet(connection, protocols) {
      const protocol = [STATUS_V2, STATUS_V1].find(({ id }) => protocols.includes(id));
      if (protocol === undefined || greeted.has(connection)) return;
      greeted.add(connection);
      const peerId = connection.remotePeer;
      try {
        const size = protocol === STATUS_V2 ? STATUS_V2_SIZE : STATUS_V1_SIZE;
        receiveStatus(peerId, await exchangeStatus(peerId, protocol, size));
      } catch (error) {
        log.debug({ peerId: peerId.toString(), error: errorMessage(error) }, "The peer did not tell its status");
      }
    },
    async sayGoodbye() {
      await Promise.all(libp2p.getPeers().map((peerId) => goodbye(peerId, GOODBYE_SHUTDOWN)));
    },
    requestStatus: async (peerId) => exchangeStatus(parsePeerId(peerId), STATUS_V2, STATUS_V2_SIZE),
    async requestBlocksByRange(peerId, startSlot, count) {
      const wanted = Math.min(count, MAX_REQUEST_BLOCKS);
      return requestBlocks(peerId, BLOCKS_BY_RANGE_V2, encodeBlocksByRange({ startSlot, count: wanted }), wanted);
    },
    async requestBlocksByRoot(peerId, roots) {
      const wanted = roots.slice(0, MAX_REQUEST_BLOCKS);
      return requestBlocks(peerId, BLOCKS_BY_ROOT_V2, encodeBlocksByRoot(wanted), wanted.length);
    },
  };
}

function parsePeerId(peerId: string): PeerId {
  try {
    return peerIdFromString(peerId);
  } catch (error) {
    throw new CodedError("REQUEST_FAILED", `"${peerId}" is no peer id`, { peerId }, error);
  }
}

async function* toChunks(blocks: AsyncIterable<WireBlock>, maxBlocks: number): AsyncGenerator<ResponseChunk> {
  let sent = 0;
  for await (const { forkDigest, ssz } of blocks) {
    yield { context: Buffer.from(forkDigest, "hex"), ssz };
    if (++sent === maxBlocks) return;
  }
}
