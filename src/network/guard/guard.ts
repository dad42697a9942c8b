/**
 * Counts what gossipsub's scores never see, peer by peer, and hangs up whoever goes beyond `limits.ts`. Scores are
 * looked at once a heartbeat, after everything has been decoded, and never end a connection; this is looked at before
 * each frame, and does. Nobody is exempt but by configuration.
 */
import type { ConnectionGater, PeerId } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { GossipVerdict } from "../network.ts";
import { type AddressRanges, ipOf } from "./address_ranges.ts";
import { type BanRecord, Bans } from "./bans.ts";
import { Ledger } from "./ledger.ts";
import { type BanReason, type GuardFault, type GuardKind, LIMITS } from "./limits.ts";

/** Ledgers kept, connected peers' and those of peers that left: redialing fills no bucket. The one idle for longest goes. */
const MAX_LEDGERS = 1024;
/** Frames that may be granted in advance, by IWANTs of ours: what we ask a peer for in a heartbeat. */
const MAX_GRANTED_FRAMES = 5000;
/** Window updates that may be granted in advance: js-libp2p's largest window, 16 MiB, holds as many exits. */
const MAX_GRANTED_UPDATES = 16_384;

/** IGNOREs that are our doing, or nobody's: no peer pays. @spec specs/message-bus/p2p-interface.md#peer-scoring */
const BLAMELESS_CODES: ReadonlySet<string> = new Set([
  "INTERNAL_ERROR",
  "QUEUE_FULL",
  "TOO_LATE",
  "PEER_GONE",
  "NOT_SYNCED",
  "STATE_UNAVAILABLE",
]);

/** One peer's account, held by what reads from it, so that no frame costs a look-up. */
export interface Meter {
  /** False: the peer is hung up, and what it sent must be dropped. */
  spend(kind: GuardKind, amount?: number): boolean;
  /** The frame has paid by another limit. */
  giveBackFrame(): void;
  /** The peer was sent something that it may answer with a window update. */
  grantUpdate(): void;
  /** Hangs up at once. */
  fault(reason: BanReason): void;
  readonly refused: boolean;
}

export interface GuardOptions {
  /** Peer ids that are counted, but never hung up. */
  readonly exemptPeers: ReadonlySet<string>;
  /** Addresses that many peers share: never refused as such. */
  readonly shared: AddressRanges;
  readonly storedBans: readonly BanRecord[];
}

export interface GuardDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends all connections with a peer, without ceremony. */
  cutOff(peerId: string, reason: BanReason): void;
  /** Nobody is cut off: whoever lives there has no peer id yet. */
  onAddressRefused(reason: BanReason): void;
  onBansChanged(): void;
}

export interface Guard {
  readonly gater: ConnectionGater;
  meter(peerId: string): Meter;
  isRefused(peerId: string): boolean;
  /** Refuses an address, unless many peers share it. */
  refuseAddress(ip: string, reason: GuardFault): void;
  /** A message of the peer was judged. */
  judged(verdict: GossipVerdict): void;
  /** The peer sent a message that is known already. */
  duplicate(peerId: string): void;
  /** We have asked the peer for so many messages. */
  asked(peerId: string, messages: number): void;
  /** 0 for most; falls to -1 as the peer spends its allowances of ignored and of expired exits. */
  applicationScore(peerId: string): number;
  /** What the peer has spent, by kind. */
  totals(peerId: string): Partial<Record<GuardKind, number>>;
  bans(): BanRecord[];
}

/** Connections have a limit of their own: what each brings and takes leave with is not counted as a flood of it. */
const PINGS_OF_A_CONNECTION = 4;

/** Up to this share of an allowance there is no penalty, or honest peers would lose their place in the mesh by it. */
const FREE_SHARE = 0.5;

export function createGuard(options: GuardOptions, dependencies: GuardDependencies): Guard {
  const { exemptPeers, shared } = options;
  const { clock, log, cutOff, onAddressRefused, onBansChanged } = dependencies;
  const bans = new Bans(options.storedBans, clock.nowMs());

  class PeerMeter implements Meter {
    readonly ledger = new Ledger(clock.monotonicMs());
    readonly peerId: string;
    /** Of the address that it was last connected from. */
    ip: string | null = null;
    /** Until when (`clock.monotonicMs`) it is refused; kept here because it is asked for each frame. */
    refusedUntilMs = 0;
    copiesGranted = distinctMessages;

    constructor(peerId: string) {
      this.peerId = peerId;
    }

    get refused(): boolean {
      return this.refusedUntilMs !== 0 && clock.monotonicMs() < this.refusedUntilMs;
    }

    spend(kind: GuardKind, amount = 1): boolean {
      const nowMs = clock.monotonicMs();
      if (nowMs < this.refusedUntilMs) return false;
      if (this.ledger.spend(kind, amount, nowMs)) return true;
      this.fault(LIMITS[kind].reason);
      return !this.refused;
    }

    giveBackFrame(): void {
      this.ledger.grant("frames", 1);
    }

    grantUpdate(): void {
      this.ledger.grant("muxerControl", 1, MAX_GRANTED_UPDATES);
    }

    fault(reason: BanReason): void {
      const { peerId } = this;
      if (exemptPeers.has(peerId) || this.refused) return;
      const ip = this.ip === null || shared.has(this.ip) ? null : this.ip;
      const banMs = bans.strikePeer(peerId, ip, clock.nowMs());
      this.refusedUntilMs = clock.monotonicMs() + banMs;
      log.info({ peerId, reason, banMs, spent: this.ledger.totals() }, "A peer is hung up and refused");
      cutOff(peerId, reason);
      onBansChanged();
    }
  }

  /** Counts what every peer may copy once. */
  let distinctMessages = 0;
  /** The last used at the end. */
  const meters = new Map<string, PeerMeter>();

  function meterOf(peerId: string): PeerMeter {
    const meter = meters.get(peerId) ?? new PeerMeter(peerId);
    meters.delete(peerId);
    meters.set(peerId, meter);
    if (meters.size > MAX_LEDGERS) meters.delete(meters.keys().next().value as string);
    return meter;
  }

  function isRefused(peerId: string): boolean {
    return !exemptPeers.has(peerId) && bans.isPeerRefused(peerId, clock.nowMs());
  }

  /** The frame has done its work, or pays for its message elsewhere. */
  function giveBack({ ledger }: PeerMeter, sizeBytes: number): void {
    ledger.grant("frames", 1);
    ledger.grant("messages", 1);
    ledger.grant("bytes", sizeBytes);
  }

  const gater: ConnectionGater = {
    // Before the handshake, which costs a millisecond.
    denyInboundConnection({ remoteAddr }) {
      const ip = ipOf(remoteAddr);
      return ip !== null && !shared.has(ip) && bans.isAddressRefused(ip, clock.nowMs());
    },
    denyInboundEncryptedConnection(peerId, { remoteAddr }) {
      const meter = meterOf(peerId.toString());
      meter.ip = ipOf(remoteAddr);
      meter.ledger.grant("muxerPings", PINGS_OF_A_CONNECTION);
      return isRefused(meter.peerId) || !meter.spend("connections");
    },
    denyOutboundEncryptedConnection(peerId, { remoteAddr }) {
      const meter = meterOf(peerId.toString());
      meter.ip = ipOf(remoteAddr);
      return isRefused(meter.peerId);
    },
    denyDialPeer: (peerId: PeerId) => isRefused(peerId.toString()),
  };

  return {
    gater,
    meter: meterOf,
    isRefused,
    refuseAddress(ip, reason) {
      if (shared.has(ip)) return;
      const banMs = bans.strikeAddress(ip, clock.nowMs());
      log.info({ ip, reason, banMs }, "An address is refused");
      onAddressRefused(reason);
      onBansChanged();
    },
    judged({ peerId, topic, verdict: { result, code }, sizeBytes }) {
      const meter = meterOf(peerId);
      if (result === "reject") {
        meter.spend("rejected");
        return;
      }
      giveBack(meter, sizeBytes);
      distinctMessages++;
      if (result === "ignore" && !BLAMELESS_CODES.has(code))
        meter.spend(topic === "triggered_exit" ? "ignoredExits" : "ignoredOthers");
    },
    duplicate(peerId) {
      const meter = meterOf(peerId);
      meter.ledger.grant("duplicates", distinctMessages - meter.copiesGranted);
      meter.copiesGranted = distinctMessages;
      if (meter.spend("duplicates")) giveBack(meter, 0);
    },
    asked(peerId, messages) {
      const { ledger } = meterOf(peerId);
      ledger.grant("frames", messages, MAX_GRANTED_FRAMES);
    },
    applicationScore(peerId) {
      const meter = meters.get(peerId);
      if (meter === undefined) return 0;
      const nowMs = clock.monotonicMs();
      const { ledger } = meter;
      const spent = Math.max(ledger.spentShare("ignoredExits", nowMs), ledger.spentShare("parkedExpired", nowMs));
      return -Math.max(0, spent - FREE_SHARE) / (1 - FREE_SHARE);
    },
    totals: (peerId) => meters.get(peerId)?.ledger.totals() ?? {},
    bans: () => bans.records(),
  };
}
