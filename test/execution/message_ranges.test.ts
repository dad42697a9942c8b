import { expect, test } from "vitest";
import { CodedError } from "../../src/base/errors.ts";
import { MessageRanges } from "../../src/execution/message_ranges.ts";

/** Answers at most `limit` blocks at once, and counts the calls. */
function source(limit: number, code = "EL_REFUSED") {
  const asked: number[] = [];
  return {
    asked,
    async getMessagesInRange(from: number, to: number) {
      asked.push(to - from + 1);
      if (to - from + 1 > limit) throw new CodedError(code, "too much");
      return [];
    },
  };
}

async function readAll(ranges: MessageRanges, from: number, to: number): Promise<void> {
  for (let at = from; at <= to; ) at = (await ranges.read(at, to)).to + 1;
}

test("message ranges: a client that answers little at once is asked for less, down to what it answers", async () => {
  const client = source(300, "EL_ANSWER_TOO_LARGE");
  await readAll(new MessageRanges(client), 1, 5_000);
  expect(client.asked.slice(0, 4)).toEqual([2000, 1000, 500, 250]);
  expect(client.asked.filter((blocks) => blocks <= 300).reduce((sum, blocks) => sum + blocks)).toBe(5_000);
});

test("message ranges: what a client refuses of one block, or for another reason, is its own failure", async () => {
  await expect(new MessageRanges(source(0)).read(7, 7)).rejects.toMatchObject({ code: "EL_REFUSED" });
  const away = source(0, "EL_UNAVAILABLE");
  await expect(new MessageRanges(away).read(1, 9_000)).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
  expect(away.asked).toEqual([2000]);
});
