import { describe, expect, test } from "vitest";
import { WaitingExits } from "../../src/pool/waiting_exits.ts";
import { TriggeredExit } from "../../src/spec/types.ts";

function exitOf(validatorIndex: number) {
  const exit = TriggeredExit.defaultValue();
  exit.data.pubkey.fill(validatorIndex);
  exit.messageBusSignal.messageSender.fill(validatorIndex + 1);
  exit.messageBusSignal.messageIndex = BigInt(validatorIndex + 2);
  return { validatorIndex, ssz: TriggeredExit.serialize(exit), exit };
}

describe("waiting exits", () => {
  test("waiting exits: come out once each, longest waiting first, with all but their proofs", () => {
    const waiting = new WaitingExits();
    const exits = [exitOf(7), exitOf(8), exitOf(9)];
    for (const exit of exits) waiting.add(exit);
    waiting.delete(8);
    expect(waiting.take(1).map((exit) => TriggeredExit.toJson(exit))).toEqual([TriggeredExit.toJson(exitOf(7).exit)]);
    expect(waiting.take(5).map((exit) => TriggeredExit.toJson(exit))).toEqual([TriggeredExit.toJson(exitOf(9).exit)]);
    expect(waiting.size).toBe(0);
  });

  test("waiting exits: at the limit a newcomer is forgotten, and one that waits keeps its place", () => {
    const waiting = new WaitingExits(2);
    for (const index of [1, 2, 3, 1]) waiting.add(exitOf(index));
    expect(waiting.take(5).map(({ messageBusSignal }) => messageBusSignal.messageIndex)).toEqual([3n, 4n]);
  });
});
