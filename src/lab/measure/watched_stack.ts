import type { Cure } from "../../network/cures/cure.ts";
import { promptMessages } from "../../network/transport/inbound_messages.ts";
import { FAST_STACK, type TransportStack } from "../../network/transport/stack.ts";

/**
 * The stack that every node runs with, and one who watches: over what takes messages in, which passes the library by, and
 * under what gathers RPCs on their way out, so that each is seen as it travels.
 */
export function watchedStack(watcher: Cure): TransportStack {
  return {
    ...FAST_STACK,
    gossip: FAST_STACK.gossip.flatMap((part) => (part === promptMessages ? [part, watcher] : [part])),
  };
}
