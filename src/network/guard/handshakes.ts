/**
 * Connections before they have a peer. libp2p takes a number of them at once and refuses all others until one is done or
 * 10 s old, so whoever holds that many half-open keeps everybody out. Here they are shared out by address, and one that
 * lingers gives way. Those that come to nothing count against their address: a handshake costs us 3 ms, and the other
 * side nothing.
 */
import type { ConnectionGater, MultiaddrConnection } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { blocksOf, ipOf } from "./address_ranges.ts";
import type { Guard } from "./guard.ts";

/** Of all addresses; each costs 3 ms of CPU, so this many hold it for 96 ms. */
export const MAX_HANDSHAKES = 32;
/** An honest one is done by then, on a busy machine at the other end of the world. */
export const LINGER_MS = 2_000;
/** Handshakes of an address that may fail at once, and in the long run: scanners, health checks, peers that we refuse. */
export const FAILED_BURST = 256;
const FAILED_PER_SECOND = 2;
/** Addresses whose failures are counted, some 150 B each; the one that failed longest ago is forgotten. */
const MAX_ADDRESSES = 1024;

type Connection = Pick<MultiaddrConnection, "remoteAddr" | "abort" | "addEventListener">;

/** The gater, and beside it the place where handshakes begin and end. */
export function watchHandshakes(
  gater: ConnectionGater,
  { guard, clock }: { guard: Pick<Guard, "refuseAddress">; clock: Clock },
): ConnectionGater {
  /** Oldest first. */
  const pending = new Map<Connection, { block: string; sinceMs: number }>();
  const failures = new Map<string, { tokens: number; filledMs: number }>();

  /** False: there is no room. */
  function begin(connection: Connection): boolean {
    const ip = ipOf(connection.remoteAddr);
    const block = ip === null ? "" : blocksOf(ip)[0];
    const sinceMs = clock.monotonicMs();
    if (pending.size >= MAX_HANDSHAKES) {
      const victim = whoGivesWay(block, sinceMs);
      if (victim === null) return false;
      victim.abort(new Error("too many handshakes at once"));
    }
    pending.set(connection, { block, sinceMs });
    connection.addEventListener("close", () => {
      if (pending.delete(connection) && ip !== null) fail(ip, block);
    });
    return true;
  }

  /** The oldest of the block with the most, where that lingers, or has two more than the newcomer's. */
  function whoGivesWay(newcomer: string, nowMs: number): Connection | null {
    const counts = new Map<string, number>();
    for (const { block } of pending.values()) counts.set(block, (counts.get(block) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [connection, { block, sinceMs }] of pending) {
      if (counts.get(block) !== most) continue;
      return nowMs - sinceMs > LINGER_MS || (counts.get(newcomer) ?? 0) + 1 < most ? connection : null;
    }
    return null;
  }

  function fail(ip: string, block: string): void {
    const nowMs = clock.monotonicMs();
    const { tokens, filledMs } = failures.get(block) ?? { tokens: FAILED_BURST, filledMs: nowMs };
    const left = Math.min(FAILED_BURST, tokens + ((nowMs - filledMs) / 1000) * FAILED_PER_SECOND) - 1;
    failures.delete(block);
    failures.set(block, { tokens: left, filledMs: nowMs });
    if (failures.size > MAX_ADDRESSES) failures.delete(failures.keys().next().value as string);
    if (left >= 0) return;
    failures.delete(block);
    guard.refuseAddress(ip, "HANDSHAKE_FLOOD");
  }

  return {
    ...gater,
    denyInboundConnection(connection) {
      return gater.denyInboundConnection?.(connection) === true || !begin(connection);
    },
    denyInboundUpgradedConnection(peerId, connection) {
      pending.delete(connection);
      return gater.denyInboundUpgradedConnection?.(peerId, connection) ?? false;
    },
  };
}
