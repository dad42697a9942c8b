import { Command, InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import {
  parseHex,
  parseHostName,
  parseHttpUrl,
  parseIndexRanges,
  parseMultiaddr,
  parseNonNegativeInteger,
  parsePeerId,
  parsePort,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
  parseSecondsToMs,
  repeatable,
  secondsOption,
} from "../../src/cli/options.ts";

test.each<[string, (value: string) => unknown, [string, unknown][], string[]]>([
  [
    "a host's name",
    parseHostName,
    [
      ["node.example.org", "node.example.org"],
      ["node-0", "node-0"],
    ],
    ["", "http://node-0", "node-0:5052", "a b", "*", "-node", "node."],
  ],
  [
    "a port",
    parsePort,
    [
      ["0", 0],
      ["65535", 65_535],
    ],
    ["65536", "-1", "1.5", "0x10", "1e3", "", " 1"],
  ],
  ["a positive integer", parsePositiveInteger, [["1", 1]], ["0", "-1", "9007199254740992", "one"]],
  ["a non-negative integer", parseNonNegativeInteger, [["0", 0]], ["-1", "1_000", "Infinity"]],
  [
    "seconds",
    parseSecondsToMs,
    [
      ["2", 2_000],
      ["0.25", 250],
      ["0", 0],
    ],
    ["-1", "2s", ".5", "NaN", "31536001"],
  ],
  ["more than no seconds", parsePositiveSecondsToMs, [["0.5", 500]], ["0", "0.0001"]],
  [
    "a URL",
    parseHttpUrl,
    [
      ["http://127.0.0.1:8545", "http://127.0.0.1:8545"],
      ["https://el/x", "https://el/x"],
    ],
    ["127.0.0.1:8545", "ws://el", "el", ""],
  ],
  [
    "a multiaddr",
    parseMultiaddr,
    [["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0"]],
    ["127.0.0.1:9000", "/ip4/1", "/ip4/300.0.0.1/tcp/1", ""],
  ],
  [
    "a peer id",
    parsePeerId,
    [["12D3KooWQj3kcVmV1KpHkkTn66YsoapfdVm3GkRzzuTRHuAfcinf", "12D3KooWQj3kcVmV1KpHkkTn66YsoapfdVm3GkRzzuTRHuAfcinf"]],
    ["foo", "", "12D3KooW"],
  ],
  ["hex", parseHex(2), [["0xABcd", "0xabcd"]], ["abcd", "0xabc", "0xabcdef", "0xzzzz", "0x"]],
  [
    "index ranges",
    parseIndexRanges,
    [
      ["0..3", [0, 1, 2, 3]],
      ["5, 1..2,2", [1, 2, 5]],
      ["7", [7]],
    ],
    ["3..1", "", "1,,2", "1-3", "..3", "-1", "0..1000000", "0..99999999999999"],
  ],
])("options: %s", (_name, parse, good, bad) => {
  for (const [text, value] of good) expect(parse(text)).toEqual(value);
  for (const text of bad) expect(() => parse(text), text).toThrow(InvalidArgumentError);
});

test("options: a repeatable option collects, and each value is checked", () => {
  const parse = repeatable(parsePort);
  expect(parse("2", parse("1", undefined))).toEqual([1, 2]);
  expect(() => parse("x", [1])).toThrow(InvalidArgumentError);
});

test("options: a default in seconds is milliseconds to the program", () => {
  const command = new Command().addOption(secondsOption("--timeout <seconds>", "how long to wait", 60));
  expect(command.parse([], { from: "user" }).opts()).toEqual({ timeout: 60_000 });
  expect(command.helpInformation()).toContain("(default: 60)");
  expect(command.parse(["--timeout", "0.5"], { from: "user" }).opts()).toEqual({ timeout: 500 });
});
