import { expect, it } from "vitest";
import { PeerTurns } from "../../../src/network/transport/peer_turns.ts";

it("peer turns: one of each in turn, each peer's in order", () => {
  const turns = new PeerTurns<string>();
  for (const item of ["a1", "a2", "a3", "b1", "c1", "c2"]) turns.add(item.charAt(0), item);
  expect([turns.countOf("a"), turns.countOf("b"), turns.countOf("d")]).toEqual([3, 1, 0]);
  const taken = [turns.take(), turns.take()];
  turns.add("b", "b2");
  expect(turns.countOf("b")).toBe(1);
  for (let item = turns.take(); item !== undefined; item = turns.take()) taken.push(item);
  expect(taken).toEqual(["a1", "b1", "c1", "a2", "b2", "c2", "a3"]);
  expect(turns.countOf("a")).toBe(0);
});
