import type { MessageStream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";

/** What libp2p's event targets have beside their interface. */
type Emitter = {
  listenerCount(type: string): number;
  safeDispatchEvent(type: string, detail?: object): boolean;
};

/**
 * Has a stream make no event that nobody listens to. Each layer of a connection tells after each write that it is idle, which
 * matters to one who closes it alone: 18 events for a message that goes to six peers.
 */
export function skipUnheardEvents<T extends MessageStream>(stream: T): T {
  const emitter = stream as unknown as Emitter;
  if (typeof emitter.listenerCount !== "function" || typeof emitter.safeDispatchEvent !== "function") {
    throw new CodedError("LIBRARY_CHANGED", "libp2p's streams no longer have listenerCount and safeDispatchEvent", {});
  }
  const dispatch = emitter.safeDispatchEvent.bind(emitter);
  emitter.safeDispatchEvent = (type, detail) => emitter.listenerCount(type) === 0 || dispatch(type, detail);
  return stream;
}
