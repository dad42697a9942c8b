import { type BeaconStateFulu, computeEpochAtSlot, createCachedBeaconState } from "@lodestar/state-transition";
import { ssz } from "@lodestar/types";
import type { MessageBusBeaconConfig } from "../spec/config.ts";
import { BeaconState, ExecutionPayloadHeader, MessageBusRoots } from "../spec/types.ts";
import type { BeaconStateMessageBus, CachedBeaconStateMessageBus, CachedState } from "./beacon_state.ts";

/**
 * Fulu's state with our fields; its nodes are kept, because neither container's tree gets deeper. `pre` is committed
 * and not otherwise changed.
 * @spec specs/message-bus/fork.md#upgrading-the-state
 */
export function upgradeToMessageBus(
  config: Pick<MessageBusBeaconConfig, "MESSAGE_BUS_FORK_VERSION">,
  pre: BeaconStateFulu,
): BeaconStateMessageBus {
  const post = BeaconState.getViewDU(ssz.fulu.BeaconState.commitViewDU(pre));
  post.fork = ssz.phase0.Fork.toViewDU({
    previousVersion: pre.fork.currentVersion,
    currentVersion: config.MESSAGE_BUS_FORK_VERSION,
    epoch: computeEpochAtSlot(pre.slot),
  });
  // The missing last field reads as zeros: the padding of Fulu's tree is our zero root.
  post.latestExecutionPayloadHeader = ExecutionPayloadHeader.getViewDU(
    ssz.fulu.ExecutionPayloadHeader.commitViewDU(pre.latestExecutionPayloadHeader),
  );
  post.messageBusRoots = MessageBusRoots.defaultViewDU();
  post.commit();
  return post;
}

/** `upgradeToMessageBus` for a state with caches, which are built anew: once in a chain's life. */
export function upgradeCachedState(pre: CachedState): CachedBeaconStateMessageBus {
  const { config, epochCtx } = pre;
  const post = upgradeToMessageBus(config, pre as unknown as BeaconStateFulu);
  return createCachedBeaconState(
    post as unknown as BeaconStateFulu,
    { config, pubkeyCache: epochCtx.pubkeyCache },
    { skipSyncPubkeys: true },
  ) as unknown as CachedBeaconStateMessageBus;
}
