/**
 * Under StrictNoSign gossipsub refuses `signature`, `seqno` and `key`, but lets `from` pass and forwards it. Go and
 * rust peers then refuse the message as "unexpected auth info" and score the honest relay down (−110 to −440 at a
 * go-libp2p-pubsub peer). The id function is the first that sees a message: there a `from` becomes a `signature`
 * too, so that the library's own check refuses the message and counts it against its sender.
 */
import type { RPC } from "@chainsafe/libp2p-gossipsub/message";
import type { Cure } from "./cure.ts";

/** Never stands in the cache of known messages, since what gets it is refused before it would be put there. */
const REFUSED_KEY = "refused";

export const strictNoSignCure: Cure = {
  name: "strict_no_sign",
  configure(options, counters) {
    const { fastMsgIdFn } = options;
    if (fastMsgIdFn === undefined) throw new Error("the StrictNoSign cure needs a fastMsgIdFn to stand before");
    return {
      ...options,
      fastMsgIdFn(message: RPC.Message) {
        const { from, seqno, signature, key } = message;
        if (from === undefined && seqno === undefined && signature === undefined && key === undefined) {
          return fastMsgIdFn(message);
        }
        counters.signedMessages++;
        message.signature ??= new Uint8Array();
        return REFUSED_KEY;
      },
    };
  },
};
