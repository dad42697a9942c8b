import { describe, expect, test } from "vitest";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { formatNetworkConfig, parseNetworkConfig } from "../../src/spec/config_file.ts";

const network = {
  chain: {
    ...FORKS_AT_GENESIS,
    CONFIG_NAME: "it's a devnet",
    SECONDS_PER_SLOT: 2,
    SHARD_COMMITTEE_PERIOD: 0,
    BLOB_SCHEDULE: [{ EPOCH: 7, MAX_BLOBS_PER_BLOCK: 12 }],
  },
  messageBus: {
    MESSAGE_BUS_FORK_EPOCH: 3,
    MESSAGE_BUS_FORK_VERSION: Uint8Array.of(0xb0, 0, 0, 1),
    MESSAGE_BUS_CONTRACT_ADDRESS: new Uint8Array(20).fill(0x11),
  },
};
const text = formatNetworkConfig(network);

describe("config.yaml", () => {
  test("comes back as it was written, with the preset's other values", () => {
    const parsed = parseNetworkConfig(text);
    expect(parsed.messageBus).toEqual(network.messageBus);
    expect(parsed.chain).toMatchObject(network.chain);
    expect(parsed.chain.SLOT_DURATION_MS).toBe(2_000);
    expect(parsed.chain.GLOAS_FORK_EPOCH).toBe(Number.POSITIVE_INFINITY);
    expect(parsed.chain.TERMINAL_TOTAL_DIFFICULTY).toBe(2n ** 256n - 2n ** 10n);
    expect(formatNetworkConfig(parsed)).toBe(text);
  });

  test("is in the ecosystem's form", () => {
    for (const line of [
      "PRESET_BASE: 'minimal'",
      "MESSAGE_BUS_FORK_EPOCH: 3",
      "MESSAGE_BUS_FORK_VERSION: 0xb0000001",
      `MESSAGE_BUS_CONTRACT_ADDRESS: 0x${"11".repeat(20)}`,
      "GLOAS_FORK_EPOCH: 18446744073709551615",
      "  - EPOCH: 7",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  test("may hold keys that nobody knows, and leave out those with a default", () => {
    const parsed = parseNetworkConfig("PRESET_BASE: minimal\nEIP9999_FORK_EPOCH: [1]\n");
    expect(parsed.messageBus).toEqual(DEFAULT_MESSAGE_BUS_PARAMETERS);
    expect(parsed.chain).toEqual({ PRESET_BASE: "minimal" });
  });

  test.each([
    ["ALTAIR_FORK_EPOCH: soon", "ALTAIR_FORK_EPOCH must be an unsigned integer, not soon"],
    ["ALTAIR_FORK_EPOCH: -1", "ALTAIR_FORK_EPOCH must be an unsigned integer, not -1"],
    ["SECONDS_PER_SLOT: 9007199254740993", "SECONDS_PER_SLOT must be at most 2**53 - 1"],
    ["SECONDS_PER_SLOT: [2]", 'SECONDS_PER_SLOT must be one value, not ["2"]'],
    ["MESSAGE_BUS_FORK_VERSION: 0xb0", "MESSAGE_BUS_FORK_VERSION must be 0x and 8 hex digits, not 0xb0"],
    ["MESSAGE_BUS_CONTRACT_ADDRESS: bus.eth", "MESSAGE_BUS_CONTRACT_ADDRESS must be 0x and 40 hex digits"],
    ["TERMINAL_TOTAL_DIFFICULTY: 1e9", "TERMINAL_TOTAL_DIFFICULTY must be an unsigned integer"],
    ["SECONDS_PER_SLOT: 2\nSLOT_DURATION_MS: 6000", "SLOT_DURATION_MS is 6000 and SECONDS_PER_SLOT is 2"],
    ["BLOB_SCHEDULE: 3", "BLOB_SCHEDULE must be a list"],
    ["BLOB_SCHEDULE: [{EPOCH: 1}]", "BLOB_SCHEDULE[0].MAX_BLOBS_PER_BLOCK must be an unsigned integer"],
    ["BLOB_SCHEDULE: [~, 4]", "BLOB_SCHEDULE[0].EPOCH must be an unsigned integer"],
  ])("with %s is refused, naming the key", (line, message) => {
    expect(() => parseNetworkConfig(`PRESET_BASE: minimal\n${line}\n`)).toThrow(message);
  });

  test.each(["", "a list: [", "- 1", "just text"])("that is no map (%j) is refused", (broken) => {
    expect(() => parseNetworkConfig(broken)).toThrow(/The network's configuration/);
  });

  test("of another preset is refused, naming both", () => {
    expect(() => parseNetworkConfig("PRESET_BASE: mainnet")).toThrow("PRESET_BASE is mainnet, and this process runs");
  });
});
