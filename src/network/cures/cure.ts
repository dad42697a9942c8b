import type { GossipsubOpts } from "@chainsafe/libp2p-gossipsub";
import type { Libp2p, PeerId } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { IncomingMessage } from "../boundary.ts";
import type { Counters } from "../counters.ts";
import type { GossipsubInternals } from "../gossipsub_internals.ts";
import type { Guard } from "../guard/guard.ts";

export interface CureContext {
  readonly pubsub: GossipsubInternals;
  readonly libp2p: Libp2p;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
  hangUp(peerId: PeerId, reason: string): void;
  messageIdOf(topic: string, wireData: Uint8Array): Uint8Array;
  /** Hands a message that gossipsub has taken in to the boundary. */
  deliver(message: IncomingMessage): void;
  /** Whether messages of the peer wait there for their turn to be judged. */
  isWaiting(peerId: string): boolean;
  /** Tells the boundary of a message that gossipsub is not to take in: it would have no room there. */
  refuse(message: Omit<IncomingMessage, "messageId">): void;
}

/** One defect of the libp2p stack put right. `configure` uses a public option, `install` overrides the inside. */
export interface Cure {
  readonly name: string;
  configure?(options: Partial<GossipsubOpts>, counters: Counters): Partial<GossipsubOpts>;
  /** Before the first connection. Throws where the library's inner shape has changed. */
  install?(context: CureContext): void;
}
