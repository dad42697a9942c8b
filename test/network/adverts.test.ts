import fc from "fast-check";
import { expect, test } from "vitest";
import { Adverts } from "../../src/network/adverts.ts";

const idOf = (n: number) => Uint8Array.of(n);
/** What each peer is told at a heartbeat. */
function tell(adverts: Adverts, peers: readonly string[], ids: readonly number[]): Map<string, number[]> {
  const told = new Map<string, number[]>();
  for (const advert of adverts.next(new Set(peers), ids.map(idOf))) {
    for (const peerId of advert.peers) {
      expect(told.has(peerId)).toBe(false);
      told.set(
        peerId,
        advert.messageIds.map(([n = 0]) => n),
      );
    }
  }
  return told;
}

test("adverts: each peer is told of each message once, at the first heartbeat after it", () => {
  const adverts = new Adverts();
  expect([...tell(adverts, ["a", "b"], [])]).toEqual([]);
  expect([...tell(adverts, ["a", "b"], [1, 2])]).toEqual([
    ["a", [1, 2]],
    ["b", [1, 2]],
  ]);
  // The first was judged only now.
  expect([...tell(adverts, ["a", "b"], [0, 1, 2, 3])]).toEqual([
    ["a", [0, 3]],
    ["b", [0, 3]],
  ]);
  expect([...tell(adverts, ["a", "b"], [0, 1, 2, 3])]).toEqual([]);
});

test("adverts: a peer that comes, or comes back, is told of all that is told of yet", () => {
  const adverts = new Adverts();
  tell(adverts, ["a"], [1]);
  expect([...tell(adverts, ["a", "b"], [1, 2])]).toEqual([
    ["a", [2]],
    ["b", [1, 2]],
  ]);
  tell(adverts, ["a"], [2, 3]);
  expect(tell(adverts, ["b"], [2, 3]).get("b")).toEqual([2, 3]);
});

test("adverts: nobody who is there misses a message, whoever comes and goes", () => {
  const heartbeat = fc.record({
    peers: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d")),
    ids: fc.uniqueArray(fc.nat(9)),
  });
  fc.assert(
    fc.property(fc.array(heartbeat, { maxLength: 12 }), (heartbeats) => {
      const adverts = new Adverts();
      const heard = new Map<string, Set<number>>();
      for (const { peers, ids } of heartbeats) {
        for (const [peerId, told] of tell(adverts, peers, ids)) {
          heard.set(peerId, new Set([...(heard.get(peerId) ?? []), ...told]));
        }
        for (const peerId of peers) for (const id of ids) expect(heard.get(peerId)?.has(id)).toBe(true);
      }
    }),
  );
});
