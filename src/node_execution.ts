/** The execution side of a node: its client, and the follower of the contract along the consensus chain's head. */
import { toHex } from "@lodestar/utils";
import { isZero } from "./base/bytes.ts";
import type { HeadEvent } from "./chain/events.ts";
import { AnvilEngine } from "./execution/anvil_engine.ts";
import { type FollowedBlock, MessageFollower, type MessageOrigin } from "./execution/follower.ts";
import type { NodeDeps } from "./node_core.ts";
import type { MessageBusBeaconConfig } from "./spec/config.ts";
import type { TriggeredExit } from "./spec/types.ts";

const ZERO_HASH = new Uint8Array(32);

export interface NodeExecutionOptions {
  readonly elUrl: string;
  readonly config: MessageBusBeaconConfig;
  readonly deployBlock: number;
  /** The execution block of the chain's anchor. */
  readonly anchorHash: Uint8Array;
}

export class NodeExecution {
  readonly engine: AnvilEngine;
  readonly follower: MessageFollower;
  /** Null after a gap: the follower is behind by more than the next head event tells. */
  #followedHeadHash: Uint8Array | null;

  constructor(
    { elUrl, config, deployBlock, anchorHash }: NodeExecutionOptions,
    { clock, log, onEvent }: NodeDeps,
    onOperation: (operation: TriggeredExit, origin: MessageOrigin) => void,
  ) {
    const room = log.child({ room: "execution" });
    this.#followedHeadHash = anchorHash;
    this.engine = new AnvilEngine(
      {
        url: elUrl,
        contract: toHex(config.MESSAGE_BUS_CONTRACT_ADDRESS) as `0x${string}`,
        // A block is contested for two slots: its consensus block may come late, and its proposer's peers vote for it.
        contestSeconds: (2 * config.SLOT_DURATION_MS) / 1000,
      },
      {
        clock,
        log: room,
        onAvailability: (available, reason) => onEvent({ event: "execution", available, reason }),
      },
    );
    this.follower = new MessageFollower({ deployBlock }, { source: this.engine, clock, log: room, onOperation });
  }

  /**
   * Hands the follower the execution blocks from the last head, or from where the branches part, to this one. What is
   * formed while the node is not synced would be judged in vain: the follower catches up afterwards.
   */
  onHead({ added, reorg, payload }: HeadEvent, isSynced: boolean): void {
    if (!isSynced) {
      this.#followedHeadHash = null;
      return;
    }
    let parentHash = reorg === null ? this.#followedHeadHash : reorg.commonAncestor.payload.blockHash;
    const blocks = parentHash === null ? [payload] : added.map((block) => block.payload);
    this.#followedHeadHash = payload.blockHash;
    const path: FollowedBlock[] = [];
    for (const { blockHash: hash, blockNumber: number, messageBusRoot } of blocks) {
      // Payloads before the fork name no root, and nothing can be proven against them.
      if (!isZero(messageBusRoot)) path.push({ hash, parentHash: parentHash ?? ZERO_HASH, number, messageBusRoot });
      parentHash = hash;
    }
    this.follower.setHead(path);
  }
}
