import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { createRateLimit } from "../../../src/network/reqresp/rate_limit.ts";

const QUOTA = { burst: 10, periodMs: 1_000 };

function setUp() {
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => {}, every: () => () => {} };
  const { take } = createRateLimit(clock);
  return {
    take,
    passTime: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe("rate limit", () => {
  it("gives a burst, then what has flown in since", () => {
    const { take, passTime } = setUp();
    expect(take("a", "x", QUOTA, 10)).toBe(true);
    expect(take("a", "x", QUOTA, 1)).toBe(false);
    passTime(100);
    expect(take("a", "x", QUOTA, 1)).toBe(true);
    expect(take("a", "x", QUOTA, 1)).toBe(false);
    passTime(60_000);
    expect(take("a", "x", QUOTA, 11)).toBe(false);
    expect(take("a", "x", QUOTA, 10)).toBe(true);
  });
  it("is each peer's and each protocol's own", () => {
    const { take } = setUp();
    expect(take("a", "x", QUOTA, 10)).toBe(true);
    expect(take("b", "x", QUOTA, 10)).toBe(true);
    expect(take("a", "y", QUOTA, 10)).toBe(true);
  });
  it("forgets the longest idle of too many peers, not the busiest", () => {
    const { take } = setUp();
    expect(take("busy", "x", QUOTA, 9)).toBe(true);
    for (let i = 0; i < 4_095; i++) take(`${i}`, "x", QUOTA, 1);
    expect(take("busy", "x", QUOTA, 1)).toBe(true);
    for (let i = 0; i < 4_000; i++) take(`again ${i}`, "x", QUOTA, 1);
    expect(take("busy", "x", QUOTA, 1)).toBe(false);
  });
});
