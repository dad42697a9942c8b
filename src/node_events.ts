/** What a running node tells: one value an event, one NDJSON line each under `--json`. */
import type { OperationSource, VerdictResult } from "./validation/verdict.ts";

export type NodeEvent =
  | {
      event: "ready";
      peerId: string;
      multiaddrs: string[];
      topics: string[];
      /** 8 hex digits. */
      forkDigest: string;
      apiUrl: string | null;
      /** For a browser. */
      pageUrl: string | null;
    }
  /** The subscriptions or the digest changed, as they do around a fork. */
  | { event: "topics"; topics: string[]; forkDigest: string }
  | { event: "mesh"; topic: string; peers: number }
  | {
      event: "operation_formed";
      pubkey: string;
      messageIndex: string;
      sender: string;
      transactionHash: string;
      blockNumber: number;
    }
  | {
      event: "verdict";
      topic: string;
      source: OperationSource;
      /** The peer that brought it by gossip. */
      peerId: string | null;
      /** Null where the bytes hold no operation. */
      pubkey: string | null;
      messageIndex: string | null;
      result: VerdictResult;
      code: string;
      elapsedMs: number;
    }
  | { event: "published"; pubkey: string; recipients: number }
  | { event: "block"; slot: number; blockRoot: string; optimistic: boolean }
  | { event: "included"; slot: number; blockRoot: string; pubkeys: string[] }
  | { event: "exit_initiated"; validatorIndex: number; pubkey: string; exitEpoch: number }
  | { event: "reorg"; slot: number; depth: number }
  | { event: "finalized"; epoch: number; blockRoot: string }
  | { event: "execution"; available: boolean; reason: string };

export type NodeEventSink = (event: NodeEvent) => void;
