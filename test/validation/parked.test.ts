import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";
import { PARKED_LIMIT, type ParkedExit, ParkedExits } from "../../src/validation/parked.ts";

function rootOf(n: number): Uint8Array {
  return new Uint8Array(32).fill(n);
}

function exitOf(validator: number, root: number, peerId: string | null = "peer", expiresMs = 100): ParkedExit {
  const ssz = new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES);
  new DataView(ssz.buffer).setUint32(TRIGGERED_EXIT_SIZE_BYTES - 4, validator);
  return { ssz, root: rootOf(root), source: peerId === null ? "api" : "gossip", peerId, expiresMs };
}

const isRoot = (n: number) => (root: Uint8Array) => root[0] === n;

describe("parked exits", () => {
  test("parked: a root that is stored releases what waits for it, in order, and nothing else", () => {
    const parked = new ParkedExits();
    parked.park(exitOf(1, 7));
    parked.park(exitOf(2, 8));
    parked.park(exitOf(3, 7));
    expect(parked.release(isRoot(7)).map(({ ssz }) => ssz.at(-1))).toEqual([1, 3]);
    expect(parked.release(isRoot(7))).toEqual([]);
    expect(parked.size).toBe(1);
  });

  test("parked: the bytes are copies, because a frame's are overwritten", () => {
    const parked = new ParkedExits();
    const exit = exitOf(1, 7);
    parked.park(exit);
    exit.ssz.fill(0xff);
    exit.root.fill(0xff);
    const [released] = parked.release(isRoot(7));
    expect(released?.ssz[0]).toBe(0);
  });

  test("parked: one exit of a validator waits for a root, and another of it for another root", () => {
    const parked = new ParkedExits();
    expect(parked.park(exitOf(1, 7)).outcome).toBe("PARKED");
    expect(parked.park(exitOf(1, 7, "another peer")).outcome).toBe("KEPT");
    expect(parked.park(exitOf(1, 8)).outcome).toBe("PARKED");
  });

  test("parked: a peer that has its share brings no more, and others do", () => {
    const parked = new ParkedExits(10, 2);
    expect([1, 2, 3].map((n) => parked.park(exitOf(n, n)).outcome)).toEqual(["PARKED", "PARKED", "FULL"]);
    expect(parked.park(exitOf(3, 3, "another peer")).outcome).toBe("PARKED");
  });

  test("parked: when full, the newest of who brought most makes room for who brought less", () => {
    const parked = new ParkedExits(3, 3);
    for (let n = 1; n <= 3; n++) parked.park(exitOf(n, n, "spammer"));
    const result = parked.park(exitOf(4, 4, "honest"));
    expect(result).toMatchObject({ outcome: "PARKED", evicted: { root: rootOf(3) } });
    expect(parked.park(exitOf(5, 5, "spammer")).outcome).toBe("FULL");
    expect(parked.size).toBe(3);
  });

  test("parked: what expires is unproven, unless a block on some branch brought its root before or after", () => {
    const parked = new ParkedExits();
    parked.onBlockRoot(rootOf(1));
    for (let n = 1; n <= 3; n++) parked.park(exitOf(n, n));
    parked.onBlockRoot(rootOf(2));
    expect(parked.expire(99)).toEqual([]);
    expect(parked.expire(100).map(({ isUnproven }) => isUnproven)).toEqual([false, false, true]);
    expect(parked.size).toBe(0);
  });

  test("parked: thousands that wait for one root cost no more than as many that wait for one each", () => {
    function cpuUs(rootIndex: (n: number) => number): number {
      const parked = new ParkedExits();
      const exits = Array.from({ length: PARKED_LIMIT }, (_, n) => {
        const exit = exitOf(n, 0, `peer ${n % 8}`);
        new DataView(exit.root.buffer).setUint32(0, rootIndex(n));
        return exit;
      });
      const before = process.threadCpuUsage();
      for (const exit of exits) parked.park(exit);
      const { user, system } = process.threadCpuUsage(before);
      expect(parked.size).toBe(PARKED_LIMIT);
      return user + system;
    }
    const apart = cpuUs((n) => n);
    // A look at each of those that wait took 60 times as long.
    expect(cpuUs(() => 0)).toBeLessThan(15 * apart);
  });

  test("parked: whatever happens, it is bounded, fair, and loses nothing silently", () => {
    const limits = { all: 6, perPeer: 4 };
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ park: fc.nat(9), root: fc.nat(3), peer: fc.constantFrom("a", "b", "c", null) }),
      },
      { weight: 2, arbitrary: fc.record({ store: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ waitMs: fc.nat(60) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const parked = new ParkedExits(limits.all, limits.perPeer);
        const present: ParkedExit[] = [];
        const drop = (exit: ParkedExit) => present.splice(present.indexOf(exit), 1);
        let nowMs = 0;
        for (const s of steps) {
          if ("park" in s) {
            const result = parked.park(exitOf(s.park, s.root, s.peer, nowMs + 100));
            if (result.outcome !== "PARKED") continue;
            if (result.evicted !== null) drop(result.evicted);
            present.push(result.exit);
          } else if ("store" in s) {
            const waiting = present.filter(({ root }) => isRoot(s.store)(root));
            expect(new Set(parked.release(isRoot(s.store)))).toEqual(new Set(waiting));
            for (const exit of waiting) drop(exit);
          } else {
            nowMs += s.waitMs;
            const late = present.filter(({ expiresMs }) => expiresMs <= nowMs);
            expect(parked.expire(nowMs).map(({ exit }) => exit)).toEqual(late);
            for (const exit of late) drop(exit);
          }
          expect(parked.size).toBe(present.length);
          expect(present.length).toBeLessThanOrEqual(limits.all);
          for (const peer of ["a", "b", "c", null]) {
            expect(present.filter(({ peerId }) => peerId === peer).length).toBeLessThanOrEqual(limits.perPeer);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
