/** Every attack, in the order in which they run. */
import { CodedError } from "../../base/errors.ts";
import type { Attack } from "./attack.ts";
import { connectionFlood } from "./attacks/below/connection_flood.ts";
import { endlessVarint } from "./attacks/below/endless_varint.ts";
import { halfOpen } from "./attacks/below/half_open.ts";
import { identifyBadKey } from "./attacks/below/identify_bad_key.ts";
import { identifyPush } from "./attacks/below/identify_push.ts";
import { noiseGarbage } from "./attacks/below/noise_garbage.ts";
import { pingFlood } from "./attacks/below/ping_flood.ts";
import { slowLoris } from "./attacks/below/slow_loris.ts";
import { streamFlood } from "./attacks/below/stream_flood.ts";
import { yamuxPing } from "./attacks/below/yamux_ping.ts";
import { yamuxSyn } from "./attacks/below/yamux_syn.ts";
import { yamuxWindow } from "./attacks/below/yamux_window.ts";
import { authFields } from "./attacks/control/auth_fields.ts";
import { controlBomb } from "./attacks/control/control_bomb.ts";
import { emptyFrames } from "./attacks/control/empty_frames.ts";
import { endlessLength } from "./attacks/control/endless_length.ts";
import { floodsubDowngrade } from "./attacks/control/floodsub_downgrade.ts";
import { graftBackoff } from "./attacks/control/graft_backoff.ts";
import { graftNovel } from "./attacks/control/graft_novel.ts";
import { idontwantFlood } from "./attacks/control/idontwant_flood.ts";
import { ihaveFlood } from "./attacks/control/ihave_flood.ts";
import { ihaveLies } from "./attacks/control/ihave_lies.ts";
import { iwantReplay } from "./attacks/control/iwant_replay.ts";
import { iwantUnvalidated } from "./attacks/control/iwant_unvalidated.ts";
import { malformedFrames } from "./attacks/control/malformed_frames.ts";
import { oversizeRpc } from "./attacks/control/oversize_rpc.ts";
import { pruneBackoff } from "./attacks/control/prune_backoff.ts";
import { pruneFlood } from "./attacks/control/prune_flood.ts";
import { pxPoisoning } from "./attacks/control/px_poisoning.ts";
import { subscriptionChurn } from "./attacks/control/subscription_churn.ts";
import { subscriptionFlood } from "./attacks/control/subscription_flood.ts";
import { unknownTopics } from "./attacks/control/unknown_topics.ts";
import { alreadySeen } from "./attacks/messages/already_seen.ts";
import { crossTopic } from "./attacks/messages/cross_topic.ts";
import { forgedTree } from "./attacks/messages/forged_tree.ts";
import { messageBomb } from "./attacks/messages/message_bomb.ts";
import { mutation } from "./attacks/messages/mutation.ts";
import { reasonAttacks } from "./attacks/messages/reasons.ts";
import { reencoding } from "./attacks/messages/reencoding.ts";
import { replay } from "./attacks/messages/replay.ts";
import { reproof } from "./attacks/messages/reproof.ts";
import { snappyBomb } from "./attacks/messages/snappy_bomb.ts";
import { unknownRoots } from "./attacks/messages/unknown_roots.ts";
import { censor } from "./attacks/networks/censor.ts";
import { coldBoot } from "./attacks/networks/cold_boot.ts";
import { covertFlash } from "./attacks/networks/covert_flash.ts";
import { eclipse } from "./attacks/networks/eclipse.ts";
import { sybil } from "./attacks/networks/sybil.ts";

export const CATALOGUE: readonly Attack[] = [
  ...reasonAttacks,
  alreadySeen,
  unknownRoots,
  forgedTree,
  messageBomb,
  mutation,
  snappyBomb,
  reencoding,
  reproof,
  replay,
  crossTopic,
  ihaveFlood,
  ihaveLies,
  iwantReplay,
  iwantUnvalidated,
  graftBackoff,
  graftNovel,
  pruneBackoff,
  pruneFlood,
  pxPoisoning,
  subscriptionFlood,
  subscriptionChurn,
  floodsubDowngrade,
  idontwantFlood,
  controlBomb,
  authFields,
  malformedFrames,
  emptyFrames,
  oversizeRpc,
  endlessLength,
  unknownTopics,
  identifyBadKey,
  identifyPush,
  pingFlood,
  yamuxPing,
  yamuxSyn,
  yamuxWindow,
  slowLoris,
  streamFlood,
  connectionFlood,
  noiseGarbage,
  endlessVarint,
  halfOpen,
  sybil,
  eclipse,
  censor,
  coldBoot,
  covertFlash,
];

/** @param names of attacks or groups; `all` is every attack. Throws a `CodedError` `UNKNOWN_ATTACK`. */
export function selectAttacks(names: readonly string[]): Attack[] {
  const isMeant = ({ name, group }: Attack, wanted: string) => wanted === "all" || wanted === name || wanted === group;
  const unknown = names.find((wanted) => !CATALOGUE.some((attack) => isMeant(attack, wanted)));
  if (unknown !== undefined) {
    throw new CodedError("UNKNOWN_ATTACK", `There is no attack "${unknown}": "msgbus fuzz --list" shows them all`, {
      name: unknown,
    });
  }
  return CATALOGUE.filter((attack) => names.some((wanted) => isMeant(attack, wanted)));
}
