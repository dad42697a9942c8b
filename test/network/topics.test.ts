import { describe, expect, it } from "vitest";
import { formatTopic, parseTopic, TOPIC_NAMES, topicProfile } from "../../src/network/topics.ts";

describe("topics", () => {
  it("are read as they are written", () => {
    for (const name of TOPIC_NAMES) {
      expect(parseTopic(formatTopic(name, "0a0b0c0d"))).toEqual({ name, forkDigest: "0a0b0c0d" });
    }
    expect(formatTopic("triggered_exit", "0a0b0c0d")).toBe("/eth2/0a0b0c0d/triggered_exit/ssz_snappy");
  });
  it.each([
    "",
    "/eth2/0a0b0c0d/triggered_exit/ssz",
    "/eth2/0A0B0C0D/triggered_exit/ssz_snappy",
    "/eth2/0a0b0c/triggered_exit/ssz_snappy",
    "/eth2/0a0b0c0d/voluntary_exit/ssz_snappy",
    "/eth2/0a0b0c0d/beacon_attestation_64/ssz_snappy",
    "/eth2/0a0b0c0d/triggered_exit/ssz_snappy/",
  ])("refuse %s", (topic) => {
    expect(parseTopic(topic)).toBeNull();
  });
  it("bound what is decompressed by the type they carry", () => {
    expect(topicProfile("triggered_exit").maxSizeBytes).toBe(1132);
    expect(topicProfile("beacon_attestation_3").maxSizeBytes).toBe(240);
    expect(topicProfile("beacon_block").maxSizeBytes).toBe(10 * 1024 * 1024);
  });
});
