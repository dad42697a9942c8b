/**
 * Gossipsub puts a message into its cache when it arrives and serves it to whoever sends IWANT, without a look at
 * whether it has been validated (`handleIWant` → `mcache.getWithIWantCount`). The id of a message can be computed by
 * anyone, so an attacker's accomplice gets invalid messages from an honest node that never accepted them.
 * Here an entry that has not been accepted is as good as absent.
 */
import { CodedError } from "../../base/errors.ts";
import type { MessageCacheInternals } from "../gossipsub_internals.ts";
import type { Cure } from "./cure.ts";

export const iwantCure: Cure = {
  name: "iwant",
  install({ pubsub }) {
    const cache = pubsub.mcache;
    const getWithIWantCount = cache.getWithIWantCount.bind(cache);
    cache.getWithIWantCount = (messageId, peerId) =>
      cache.msgs.get(messageId)?.validated === true ? getWithIWantCount(messageId, peerId) : null;
    assertCacheMarksMessages(cache);
  },
};

/** Tries the cache's own class on one message: it must come in unvalidated, and be marked by `validate`. */
function assertCacheMarksMessages(cache: MessageCacheInternals): void {
  type Probe = MessageCacheInternals & {
    put(id: { msgId: Uint8Array; msgIdStr: string }, message: unknown, validated: boolean): boolean;
    validate(id: string): unknown;
  };
  const CacheClass = cache.constructor as new (gossip: number, history: number, idToString: () => string) => Probe;
  const probe = new CacheClass(1, 1, () => "");
  probe.put({ msgId: new Uint8Array(), msgIdStr: "probe" }, { topic: "" }, false);
  const before = probe.msgs.get("probe")?.validated;
  probe.validate("probe");
  const after = probe.msgs.get("probe")?.validated;
  if (before !== false || after !== true) {
    throw new CodedError("LIBRARY_CHANGED", "gossipsub's message cache no longer marks what has been validated");
  }
}
