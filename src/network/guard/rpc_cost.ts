/** What a decoded RPC spends, before gossipsub looks at it. */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Meter } from "./guard.ts";

export interface RpcView {
  /** Whether we have subscribed to the topic. */
  isJoined(topic: string): boolean;
  /** Whether the peer was told not to graft us on the topic yet. */
  isBackedOff(topic: string): boolean;
}

/** False where the peer cannot afford it. */
export function chargeRpc({ subscriptions, messages, control }: RPC, meter: Meter, view: RpcView): boolean {
  const { ihave = [], iwant = [], graft = [], prune = [], idontwant = [] } = control ?? {};
  const controls = ihave.length + iwant.length + graft.length + prune.length + idontwant.length;
  if (subscriptions.length + messages.length + controls === 0) return meter.spend("empty");
  if (subscriptions.length > 0 && !meter.spend("subscriptions", subscriptions.length)) return false;
  if (messages.length > 0) {
    if (!meter.spend("messages", messages.length)) return false;
    const unknown = count(messages, ({ topic }) => !view.isJoined(topic));
    if (unknown > 0 && !meter.spend("unknownTopics", unknown)) return false;
  }
  if (controls === 0) return true;
  if (ihave.length > 0 && !(meter.spend("ihave") && meter.spend("ihaveIds", countIds(ihave)))) return false;
  if (iwant.length > 0 && !(meter.spend("iwant") && meter.spend("iwantIds", countIds(iwant)))) return false;
  if (idontwant.length > 0) {
    if (!meter.spend("idontwant", countIds(idontwant))) return false;
    if (controls === idontwant.length && messages.length === 0) meter.giveBackFrame();
  }
  if (prune.length > 0 && !meter.spend("prune", prune.length)) return false;
  return graft.length === 0 || chargeGrafts(graft, meter, view);
}

function chargeGrafts(graft: RPC.ControlGraft[], meter: Meter, view: RpcView): boolean {
  if (!meter.spend("graft", graft.length)) return false;
  const unknown = count(graft, ({ topicID = "" }) => !view.isJoined(topicID));
  if (unknown > 0 && !meter.spend("unknownTopics", unknown)) return false;
  const tooEarly = count(graft, ({ topicID = "" }) => view.isBackedOff(topicID));
  return tooEarly === 0 || meter.spend("graftBackoff", tooEarly);
}

/** A list that holds no id counts as one: it is work, too. */
function countIds(lists: readonly { messageIDs: readonly unknown[] }[]): number {
  return lists.reduce((sum, { messageIDs }) => sum + Math.max(1, messageIDs.length), 0);
}

function count<T>(items: readonly T[], holds: (item: T) => boolean): number {
  return items.reduce((sum, item) => (holds(item) ? sum + 1 : sum), 0);
}
