import { generateKeyPair } from "@libp2p/crypto/keys";
import type { MultiaddrConnection, PeerId } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { beforeAll, describe, expect, it } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { blocksOf, sharedRanges } from "../../../src/network/guard/address_ranges.ts";
import { type BanRecord, Bans, MAX_BANS } from "../../../src/network/guard/bans.ts";
import { createGuard } from "../../../src/network/guard/guard.ts";
import { GUARD_KINDS, LIMITS } from "../../../src/network/guard/limits.ts";
import type { GossipVerdict, TopicName } from "../../../src/network/network.ts";
import type { VerdictResult } from "../../../src/validation/verdict.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let peers: PeerId[];
beforeAll(async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => generateKeyPair("Ed25519")));
  peers = keys.map(peerIdFromPrivateKey);
});

interface Setup {
  exempt?: number[];
  testNetworks?: string[];
  storedBans?: readonly BanRecord[];
}

/** A guard on a clock that the test moves. */
function setUp({ exempt = [], testNetworks = [], storedBans = [] }: Setup = {}) {
  let nowMs = 1_800_000_000_000;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => {}, every: () => () => {} };
  const cut: string[] = [];
  const guard = createGuard(
    { exemptPeers: new Set(exempt.map((i) => id(i))), shared: sharedRanges(testNetworks), storedBans },
    {
      clock,
      log: silentLogger,
      cutOff: (_, reason) => void cut.push(reason),
      onAddressRefused: (reason) => void cut.push(reason),
      onBansChanged: () => {},
    },
  );
  const from = (ip: string) =>
    ({ remoteAddr: multiaddr(`/${ip.includes(":") ? "ip6" : "ip4"}/${ip}/tcp/9000`) }) as MultiaddrConnection;
  return {
    guard,
    cut,
    passTime: (ms: number) => {
      nowMs += ms;
    },
    isAddressRefused: (ip: string) => guard.gater.denyInboundConnection?.(from(ip)),
    /** True: refused. */
    connect: (i: number, ip: string) => guard.gater.denyInboundEncryptedConnection?.(peers[i] as PeerId, from(ip)),
  };
}

const id = (i: number) => (peers[i] as PeerId).toString();
const verdictOf = (
  i: number,
  result: VerdictResult,
  code: string,
  topic: TopicName = "triggered_exit",
): GossipVerdict => ({
  topic,
  forkDigest: "00000000",
  peerId: id(i),
  sizeBytes: 1000,
  verdict: { result, code },
  elapsedMs: 1,
});

describe("peer guard", () => {
  it.each(GUARD_KINDS)("hangs up a peer that spends more than its burst of %s, once, and refuses it", (kind) => {
    const { guard, cut, connect } = setUp();
    const meter = guard.meter(id(0));
    expect(meter.spend(kind, LIMITS[kind].burst)).toBe(true);
    expect(meter.spend(kind, 1)).toBe(false);
    expect(meter.spend(kind, 1)).toBe(false);
    expect(cut).toEqual([LIMITS[kind].reason]);
    expect(connect(0, "127.0.0.1")).toBe(true);
    expect(guard.gater.denyDialPeer?.(peers[0] as PeerId)).toBe(true);
    expect(connect(1, "127.0.0.1")).toBe(false);
  });

  it("lets a peer go on for ever at the rate of each limit", () => {
    const { guard, cut, passTime } = setUp();
    const meter = guard.meter(id(0));
    for (let second = 0; second < 1000; second++) {
      for (const kind of GUARD_KINDS) meter.spend(kind, LIMITS[kind].perSecond);
      passTime(1000);
    }
    expect(cut).toEqual([]);
  });

  it("fills no bucket by a redial", () => {
    const { guard, cut, connect } = setUp();
    guard.meter(id(0)).spend("frames", LIMITS.frames.burst);
    connect(0, "127.0.0.1");
    guard.meter(id(0)).spend("frames", 1);
    expect(cut).toEqual(["RPC_RATE"]);
  });

  it("counts, but never hangs up, whom the configuration exempts", () => {
    const { guard, cut, connect } = setUp({ exempt: [0] });
    const meter = guard.meter(id(0));
    expect(meter.spend("frames", 10 * LIMITS.frames.burst)).toBe(true);
    meter.fault("OVERSIZE_FRAME");
    expect([cut, connect(0, "127.0.0.1")]).toEqual([[], false]);
    expect(guard.totals(id(0)).frames).toBe(10 * LIMITS.frames.burst);
  });
});

describe("refusal", () => {
  it("ends after two minutes, and is longer the next time", () => {
    const { guard, connect, passTime } = setUp();
    guard.meter(id(0)).fault("OVERSIZE_FRAME");
    passTime(2 * MINUTE_MS + 1);
    expect(connect(0, "127.0.0.1")).toBe(false);
    guard.meter(id(0)).fault("OVERSIZE_FRAME");
    passTime(2 * MINUTE_MS + 1);
    expect(connect(0, "127.0.0.1")).toBe(true);
    passTime(6 * MINUTE_MS);
    expect(connect(0, "127.0.0.1")).toBe(false);
  });

  it("begins anew after hours of quiet", () => {
    const { guard, connect, passTime } = setUp();
    for (let i = 0; i < 3; i++) {
      guard.meter(id(0)).fault("OVERSIZE_FRAME");
      passTime(40 * MINUTE_MS);
    }
    passTime(5 * HOUR_MS);
    guard.meter(id(0)).fault("OVERSIZE_FRAME");
    passTime(2 * MINUTE_MS + 1);
    expect(connect(0, "127.0.0.1")).toBe(false);
  });

  it("extends to an address when three peers there were hung up", () => {
    const { guard, connect, isAddressRefused } = setUp();
    function offend(i: number, ip: string): void {
      connect(i, ip);
      guard.meter(id(i)).fault("OVERSIZE_FRAME");
    }
    for (const i of [0, 1]) offend(i, "203.0.113.7");
    expect(isAddressRefused("203.0.113.7")).toBe(false);
    offend(2, "203.0.113.7");
    expect(isAddressRefused("203.0.113.7")).toBe(true);
    expect(isAddressRefused("203.0.113.8")).toBe(false);
  });

  it("of an address without a peer lasts two minutes, and is not shortened by a peer's", () => {
    const { guard, cut, connect, isAddressRefused, passTime } = setUp();
    guard.refuseAddress("203.0.113.7", "HANDSHAKE_FLOOD");
    connect(0, "203.0.113.7");
    guard.meter(id(0)).fault("OVERSIZE_FRAME");
    expect(cut).toEqual(["HANDSHAKE_FLOOD", "OVERSIZE_FRAME"]);
    expect(isAddressRefused("203.0.113.7")).toBe(true);
    expect(isAddressRefused("203.0.113.8")).toBe(false);
    passTime(2 * MINUTE_MS + 1);
    expect(isAddressRefused("203.0.113.7")).toBe(false);
  });

  it("widens to the /24 when three addresses in it are refused", () => {
    const bans = new Bans([], 0);
    for (let i = 0; i < 9; i++) bans.strikePeer(`peer${i}`, `203.0.113.${Math.floor(i / 3)}`, 1);
    expect(bans.isAddressRefused("203.0.113.200", 2)).toBe(true);
    expect(bans.isAddressRefused("203.0.114.200", 2)).toBe(false);
  });

  it.each([
    ["loopback", "127.0.0.1"],
    ["loopback", "::1"],
    ["a declared test network", "10.7.0.9"],
  ])("never extends to an address on %s", (_, ip) => {
    const { guard, connect, isAddressRefused } = setUp({ testNetworks: ["10.7.0.0/16"] });
    for (let i = 0; i < 8; i++) {
      connect(i, ip);
      guard.meter(id(i)).fault("OVERSIZE_FRAME");
    }
    guard.refuseAddress(ip, "HANDSHAKE_FLOOD");
    expect(isAddressRefused(ip)).toBe(false);
    expect(connect(0, ip)).toBe(true);
  });

  it("survives a restart, but not its own end", () => {
    const before = setUp();
    before.guard.meter(id(0)).fault("OVERSIZE_FRAME");
    const after = setUp({ storedBans: before.guard.bans() });
    expect(after.connect(0, "127.0.0.1")).toBe(true);
    after.passTime(2 * MINUTE_MS + 1);
    expect(after.connect(0, "127.0.0.1")).toBe(false);
  });

  it("is bounded in number, and the oldest goes first", () => {
    const bans = new Bans([], 0);
    for (let i = 0; i <= MAX_BANS; i++) bans.strikePeer(`peer${i}`, null, 1);
    expect(bans.size).toBe(MAX_BANS);
    expect([bans.isPeerRefused("peer0", 2), bans.isPeerRefused(`peer${MAX_BANS}`, 2)]).toEqual([false, true]);
  });
});

describe("messages", () => {
  it("are paid for by their verdict: accepted ones cost nothing, whatever their rate", () => {
    const { guard, cut } = setUp();
    const meter = guard.meter(id(0));
    for (let i = 0; i < 10 * LIMITS.messages.burst; i++) {
      for (const kind of ["frames", "messages"] as const) meter.spend(kind);
      meter.spend("bytes", 1000);
      guard.judged(verdictOf(0, "accept", "VALID"));
    }
    expect(cut).toEqual([]);
  });

  it.each([
    ["exits that are ignored", "ignore", "UNKNOWN_ROOT", "triggered_exit", "IGNORED_SPAM", LIMITS.ignoredExits.burst],
    ["attestations that are ignored", "ignore", "UNKNOWN_BLOCK", "beacon_attestation_1", "IGNORED_SPAM", 4096],
    ["what is rejected", "reject", "BAD_COUNT", "triggered_exit", "REJECTED_SPAM", LIMITS.rejected.burst],
  ] as const)("end in a hang-up when the allowance of %s is spent", (_, result, code, topic, reason, allowance) => {
    const { guard, cut } = setUp();
    for (let i = 0; i < allowance; i++) guard.judged(verdictOf(0, result, code, topic));
    expect(cut).toEqual([]);
    guard.judged(verdictOf(0, result, code, topic));
    expect(cut).toEqual([reason]);
  });

  it.each(["INTERNAL_ERROR", "QUEUE_FULL", "TOO_LATE", "NOT_SYNCED", "PEER_GONE"])(
    "cost no peer anything that end in %s",
    (code) => {
      const { guard, cut } = setUp();
      for (let i = 0; i < 10_000; i++) guard.judged(verdictOf(0, "ignore", code));
      expect(cut).toEqual([]);
      expect(guard.applicationScore(id(0))).toBeCloseTo(0);
    },
  );

  it("may be copied once by each peer, however many there are", () => {
    const { guard, cut } = setUp();
    for (let i = 0; i < 4 * LIMITS.duplicates.burst; i++) {
      guard.judged(verdictOf(0, "accept", "VALID"));
      for (const copier of [1, 2]) guard.duplicate(id(copier));
    }
    expect(cut).toEqual([]);
    for (let i = 0; i <= LIMITS.duplicates.burst; i++) guard.duplicate(id(1));
    expect(cut).toEqual(["DUPLICATE_SPAM"]);
  });

  it("that we asked for may come at once", () => {
    const { guard, cut } = setUp();
    guard.asked(id(0), 4200);
    const meter = guard.meter(id(0));
    for (let i = 0; i < 4200; i++) meter.spend("frames");
    expect(cut).toEqual([]);
  });

  it("lower the application score only when half of an allowance is spent", () => {
    const { guard } = setUp();
    const meter = guard.meter(id(0));
    meter.spend("parkedExpired", LIMITS.parkedExpired.burst / 2);
    expect(guard.applicationScore(id(0))).toBeCloseTo(0);
    meter.spend("parkedExpired", LIMITS.parkedExpired.burst / 4);
    expect(guard.applicationScore(id(0))).toBeCloseTo(-0.5);
  });
});

describe("address ranges", () => {
  it.each([
    ["203.0.113.7", ["203.0.113.7/32", "203.0.113.0/24"]],
    ["2001:db8::1", ["2001:db8:0:0::/64", "2001:db8:0::/48"]],
    ["2001:0db8:00a1:0002:3:4:5:6", ["2001:db8:a1:2::/64", "2001:db8:a1::/48"]],
  ])("find the blocks of %s", (ip, blocks) => {
    expect(blocksOf(ip)).toEqual(blocks);
  });
  it.each(["10.0.0.0/99", "local", "fd00::/x"])("refuse %s", (range) => {
    expect(() => sharedRanges([range])).toThrow(expect.objectContaining({ code: "BAD_ADDRESS_RANGE" }));
  });
});
