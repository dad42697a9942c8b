import { boundedCachesCure } from "./bounded_caches.ts";
import type { Cure } from "./cure.ts";
import { inboundFramesCure } from "./inbound_frames.ts";
import { iwantCure } from "./iwant.ts";
import { outboundWatchdogCure } from "./outbound_watchdog.ts";
import { p2DoubleCountCure } from "./p2_double_count.ts";
import { peerRecordsCure } from "./peer_records.ts";
import { pruneCure } from "./prune.ts";
import { retainedScoreCure } from "./retained_score.ts";
import { rpcSizesCure } from "./rpc_sizes.ts";
import { strictNoSignCure } from "./strict_no_sign.ts";

/** What every node runs with; tests leave one out to show that it is needed. */
export const ALL_CURES: readonly Cure[] = [
  iwantCure,
  strictNoSignCure,
  p2DoubleCountCure,
  retainedScoreCure,
  outboundWatchdogCure,
  inboundFramesCure,
  pruneCure,
  boundedCachesCure,
  peerRecordsCure,
  rpcSizesCure,
];
