import { expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { createHumanOutput, createJsonOutput, type OutputStream } from "../../src/cli/output.ts";

const clock: Pick<Clock, "nowMs"> = { nowMs: () => 1_700_000_000_123.7 };

function collect(): { stream: OutputStream; lines: string[] } {
  const lines: string[] = [];
  return { stream: { write: (text: string | Uint8Array) => lines.push(String(text)) > 0 }, lines };
}

test("output: programs get one object a line, with event and time", () => {
  const { stream, lines } = collect();
  const fields = { slot: 7, index: 2n ** 60n, root: new Uint8Array([0xab, 1]), pubkeys: [Buffer.from([2])] };
  createJsonOutput(clock, stream).event("included", fields, "for people");
  expect(lines).toEqual([
    '{"event":"included","time":1700000000123,"slot":7,"index":"1152921504606846976","root":"0xab01","pubkeys":["0x02"]}\n',
  ]);
});

test("output: people get the line", () => {
  const { stream, lines } = collect();
  createHumanOutput(stream).event("included", { slot: 7 }, "in the block of slot 7");
  expect(lines).toEqual(["in the block of slot 7\n"]);
});
