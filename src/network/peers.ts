/** Keeps the bootnodes dialed while there are too few peers, or too few of our own choice. */
import type { Libp2p } from "@libp2p/interface";
import type { CancelTimer, Clock } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Bootnode } from "./addresses.ts";

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/**
 * Peers that we have chosen, as many as a mesh has: those who dial us choose us, and if they counted alone, attackers who
 * fill our places would keep us from everybody else.
 */
const MIN_OUTBOUND_PEERS = 8;

export interface PeersDependencies {
  readonly libp2p: Libp2p;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Redialer {
  stop(): void;
}

/**
 * There is no discovery: a node knows its bootnodes and whoever dials it. A network in which every node should reach
 * every other lists them all as bootnodes.
 */
export function startRedialer(
  bootnodes: readonly Bootnode[],
  targetPeers: number,
  { libp2p, clock, random, log }: PeersDependencies,
): Redialer {
  const timers = new Map<Bootnode, CancelTimer>();
  let stopped = false;

  function isConnected({ peerId }: Bootnode): boolean {
    return libp2p.getPeers().some((peer) => peer.toString() === peerId);
  }

  function hasEnough(): boolean {
    const outbound = libp2p.getConnections().filter(({ direction }) => direction === "outbound").length;
    return libp2p.getPeers().length >= targetPeers && outbound >= Math.min(MIN_OUTBOUND_PEERS, targetPeers);
  }

  function schedule(bootnode: Bootnode, delayMs: number): void {
    if (stopped) return;
    // Jitter, so that the nodes of a network that came back together do not all dial in step.
    const jitteredMs = delayMs * (0.75 + 0.5 * random.float());
    timers.set(
      bootnode,
      clock.after(jitteredMs, () => void redial(bootnode, delayMs)),
    );
  }

  async function redial(bootnode: Bootnode, delayMs: number): Promise<void> {
    if (isConnected(bootnode) || hasEnough()) {
      schedule(bootnode, FIRST_RETRY_MS);
      return;
    }
    try {
      await libp2p.dial(bootnode.address);
      schedule(bootnode, FIRST_RETRY_MS);
    } catch (error) {
      if (!stopped) log.debug({ peerId: bootnode.peerId, error: errorMessage(error) }, "A bootnode cannot be reached");
      schedule(bootnode, Math.min(2 * delayMs, MAX_RETRY_MS));
    }
  }

  for (const bootnode of bootnodes) schedule(bootnode, FIRST_RETRY_MS);
  return {
    stop() {
      stopped = true;
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };
}
