import fc from "fast-check";
import { expect, test } from "vitest";
import { GossipTurns } from "../../src/network/gossip_in_turn.ts";

const PERIOD = 3;
const LEAST = 6;

test("gossip in turn: whoever stays for three heartbeats is told in one of them, whoever else comes and goes", () => {
  const heartbeats = fc.array(fc.uniqueArray(fc.nat(30), { maxLength: 30 }), { maxLength: 20 });
  fc.assert(
    fc.property(heartbeats, (rounds) => {
      const turns = new GossipTurns(PERIOD, LEAST);
      const told = rounds.map((candidates) => turns.next(candidates.map(String)));
      for (let i = 0; i + PERIOD <= rounds.length; i++) {
        const window = rounds.slice(i, i + PERIOD);
        for (const peer of window[0]?.filter((id) => window.every((candidates) => candidates.includes(id))) ?? []) {
          expect(told.slice(i, i + PERIOD).some((peers) => peers.has(String(peer)))).toBe(true);
        }
      }
    }),
  );
});

test("gossip in turn: tells a third of them at a heartbeat, and everybody where they are few", () => {
  const peers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
  const turns = new GossipTurns(PERIOD, LEAST);
  const sizes = Array.from({ length: 6 }, () => turns.next(peers(60)).size);
  expect(sizes).toEqual([20, 20, 20, 20, 20, 20]);
  expect(new GossipTurns(PERIOD, LEAST).next(peers(4)).size).toBe(4);
});
