/** What a devnet tells: its nodes' events under their names, and its own. One NDJSON line each under `--json`. */
import type { NodeEvent } from "../../node_events.ts";

/** Messages that a devnet sends: the exits asked for, and those that must die. */
export const SPECIMEN_KINDS = [
  "exit",
  "unknown_pubkey",
  "wrong_sender",
  "already_exiting",
  "forged_proof",
  "bad_count",
  "wrong_length",
  "bad_snappy",
] as const;
export type SpecimenKind = (typeof SPECIMEN_KINDS)[number];

/** `contract`: sent to the execution layer, dies in the nodes that form it. `gossip`: pushed by a hostile peer. */
export type SpecimenRoute = "contract" | "gossip";

/** How one bad message ended. */
export interface SpecimenFate {
  readonly kind: SpecimenKind;
  readonly route: SpecimenRoute;
  readonly pubkey: string | null;
  /** Nodes that judged it, with the reason code; empty where it has not been judged. */
  readonly diedAt: readonly { readonly node: string; readonly code: string }[];
  /** Whether the observer, which is every node's gossip peer, received it. */
  readonly forwarded: boolean;
  readonly inBlock: boolean;
}

export interface SummaryNode {
  readonly node: string;
  readonly url: string | null;
  /** Resident memory of its process; null where it does not say. */
  readonly rssBytes: number | null;
}

type Named<Event> = Event extends { event: "ready" } ? never : Event & { node: string };

type ReadyNode = Pick<Extract<NodeEvent, { event: "ready" }>, "peerId" | "multiaddrs" | "apiUrl" | "pageUrl">;

export type DevnetEvent =
  | {
      event: "network";
      dir: string;
      elUrl: string;
      contract: string;
      genesisTime: number;
      nodes: number;
      validators: number;
      secondsPerSlot: number;
      slotsPerEpoch: number;
      forkEpoch: number;
      seed: number;
      /** The live page, for a browser. */
      pageUrl: string | null;
    }
  | ({ event: "node_ready"; node: string } & ReadyNode)
  | { event: "node_exited"; node: string; reason: string; restarting: boolean }
  | { event: "ready"; nodes: ({ node: string } & ReadyNode)[]; pageUrl: string | null }
  | {
      event: "message_sent";
      kind: SpecimenKind;
      validatorIndex: number | null;
      pubkey: string;
      sender: string;
      transactionHash: string;
      blockNumber: number;
      messageIndex: string;
    }
  | { event: "operation_pushed"; kind: SpecimenKind; pubkey: string | null; node: string }
  | Named<NodeEvent>
  | {
      event: "summary";
      ok: boolean;
      reason: string | null;
      exits: {
        validatorIndex: number;
        pubkey: string;
        slot: number | null;
        exitEpoch: number | null;
        final: boolean;
      }[];
      bad: SpecimenFate[];
      txToInclusionMs: { median: number | null; max: number | null };
      apis: SummaryNode[];
    };

export type DevnetEventSink = (event: DevnetEvent) => void;
