import { expect, test } from "vitest";
import { duration, percentile, plural, shorten, shortPeerId } from "../../../src/page/live/text.ts";

test("text: durations have the unit that fits", () => {
  expect([0, 0.25, 9.96, 12.4, 999, 1_250, 59_000, 200_000].map(duration)).toEqual([
    "0 ms",
    "0.3 ms",
    "10 ms",
    "12 ms",
    "999 ms",
    "1.3 s",
    "59 s",
    "3 min 20 s",
  ]);
});

test("text: long names are cut where they are told apart", () => {
  expect(shorten(`0x${"12".repeat(48)}`)).toBe("0x1212…1212");
  expect(shorten("0x12")).toBe("0x12");
  expect(shortPeerId("16Uiu2HAm7F6EWssWztDLkjr7gFxeuunEm6vdC83Sag9rhtoBnw43")).toBe("…htoBnw43");
  expect(shortPeerId("node-1")).toBe("node-1");
});

test("text: one is not many", () => {
  expect([0, 1, 2].map((count) => plural(count, "node"))).toEqual(["0 nodes", "1 node", "2 nodes"]);
  expect(plural(2, "address", "addresses")).toBe("2 addresses");
});

test("text: percentiles are values that occurred", () => {
  expect(percentile([], 0.5)).toBeNull();
  const values = [1, 2, 3, 4, 5];
  expect([0, 0.5, 0.95, 1].map((share) => percentile(values, share))).toEqual([1, 3, 5, 5]);
});
