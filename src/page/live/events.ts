/** What the page is told: the devnet's events as they come, and a single node's in the same form. */

export type VerdictResult = "accept" | "ignore" | "reject";

export interface VerdictEvent {
  readonly event: "verdict";
  readonly node: string;
  readonly source: string;
  /** Of gossip, else null. */
  readonly peerId: string | null;
  /** Null where the bytes hold no operation. */
  readonly pubkey: string | null;
  readonly messageIndex: string | null;
  readonly result: VerdictResult;
  readonly code: string;
  readonly elapsedMs: number;
}

export type FeedEvent =
  | {
      readonly event: "network";
      readonly nodes: number;
      readonly validators: number;
      readonly secondsPerSlot: number;
      readonly slotsPerEpoch: number;
      readonly contract: string;
    }
  | { readonly event: "node_ready"; readonly node: string; readonly peerId: string; readonly pageUrl: string | null }
  | { readonly event: "stranger"; readonly name: string; readonly peerId: string }
  | { readonly event: "node_exited"; readonly node: string; readonly reason: string }
  | { readonly event: "mesh"; readonly node: string; readonly topic: string; readonly peers: number }
  | { readonly event: "links"; readonly links: readonly LinkOfFeed[] }
  | { readonly event: "exit_requested"; readonly validatorIndex: number; readonly pubkey: string }
  | {
      readonly event: "exit_failed";
      readonly validatorIndex: number;
      readonly pubkey: string;
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly event: "message_sent";
      readonly kind: string;
      readonly validatorIndex: number | null;
      readonly pubkey: string;
      readonly sender: string;
      readonly transactionHash: string;
      readonly blockNumber: number;
      readonly messageIndex: string;
    }
  | {
      readonly event: "operation_formed";
      readonly node: string;
      readonly pubkey: string;
      readonly messageIndex: string;
    }
  | VerdictEvent
  | { readonly event: "block"; readonly node: string; readonly slot: number; readonly blockRoot: string }
  | {
      readonly event: "included";
      readonly node: string;
      readonly slot: number;
      readonly blockRoot: string;
      readonly pubkeys: readonly string[];
    }
  | {
      readonly event: "exit_initiated";
      readonly node: string;
      readonly validatorIndex: number;
      readonly pubkey: string;
      readonly exitEpoch: number;
    }
  | { readonly event: "finalized"; readonly node: string; readonly epoch: number };

export interface LinkOfFeed {
  readonly source: string;
  readonly target: string;
  readonly mesh: boolean;
}

/** `time`: Unix ms. */
export type TimedEvent = FeedEvent & { readonly time: number };
