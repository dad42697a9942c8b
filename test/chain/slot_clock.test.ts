import { describe, expect, it } from "vitest";
import { SlotClock } from "../../src/chain/slot_clock.ts";
import { ManualClock } from "./manual_clock.ts";

const GENESIS_S = 1000;
const GENESIS_MS = GENESIS_S * 1000;

function start(nowMs: number) {
  const clock = new ManualClock(nowMs);
  const slots = new SlotClock(clock, GENESIS_S, 2000);
  const told: string[] = [];
  slots.onSlot((slot) => told.push(`slot ${slot}`));
  slots.onAttestationDue((slot) => told.push(`due ${slot}`));
  slots.start();
  return { clock, slots, told };
}

describe("slot clock", () => {
  it("tells slot starts and due attestations in order, from genesis on", () => {
    const { clock, slots, told } = start(GENESIS_MS - 5000);
    expect(slots.currentSlot).toBe(-1);
    clock.advanceTo(GENESIS_MS - 1);
    expect(told).toEqual([]);
    clock.advanceTo(GENESIS_MS);
    expect(told).toEqual(["slot 0"]);
    clock.advanceTo(GENESIS_MS + 2 * 2000 + 666);
    expect(told).toEqual(["slot 0", "due 0", "slot 1", "due 1", "slot 2", "due 2"]);
  });

  it("skips the slots that a jump forward passed over", () => {
    const { clock, told } = start(GENESIS_MS);
    clock.jumpTo(GENESIS_MS + 100 * 2000);
    clock.advance(2000);
    expect(told).toEqual(["slot 0", "slot 100", "due 100", "slot 101"]);
  });

  it("tells no slot twice when the clock is set back", () => {
    const { clock, told } = start(GENESIS_MS);
    clock.advanceTo(GENESIS_MS + 3 * 2000);
    told.length = 0;
    clock.jumpTo(GENESIS_MS + 1500);
    clock.advanceTo(GENESIS_MS + 4 * 2000);
    expect(told).toEqual(["due 3", "slot 4"]);
  });

  it("starts in the middle of a slot and leaves no timer behind", () => {
    const { clock, slots, told } = start(GENESIS_MS + 10 * 2000 + 1000);
    expect(told).toEqual(["slot 10", "due 10"]);
    slots.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets a slot begin half a second early for gossip", () => {
    const { slots } = start(GENESIS_MS + 1500);
    expect(slots.hasStarted(1)).toBe(true);
    expect(slots.hasStarted(2)).toBe(false);
  });
});
