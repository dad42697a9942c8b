import { createTopicScoreParams, validateTopicScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import { describe, expect, it } from "vitest";
import { sharedRanges } from "../../src/network/guard/address_ranges.ts";
import { peerScoreParams, SCORE_THRESHOLDS, topicScoreParams } from "../../src/network/scoring.ts";

const MAINNET = { slotMs: 12_000, slotsPerEpoch: 32 };
const SHARED = sharedRanges(["10.1.0.0/16"]);
const SOURCES = { applicationScore: () => 0, isSharedAddress: SHARED.has };
const DEVNET = { slotMs: 2_000, slotsPerEpoch: 8 };

describe.each([
  ["mainnet", MAINNET],
  ["devnet", DEVNET],
])("score parameters of a %s", (_, timing) => {
  it.each(["beacon_block", "triggered_exit", "beacon_attestation_0"] as const)("are sound for %s", (name) => {
    const params = topicScoreParams(name, timing);
    validateTopicScoreParams(createTopicScoreParams(params));
    const graylistedAfter = (threshold: number) => {
      for (let rejects = 1; ; rejects++) {
        if (params.topicWeight * params.invalidMessageDeliveriesWeight * rejects ** 2 < threshold) return rejects;
      }
    };
    expect(graylistedAfter(SCORE_THRESHOLDS.gossipThreshold)).toBe(7);
    expect(graylistedAfter(SCORE_THRESHOLDS.publishThreshold)).toBe(9);
    expect(graylistedAfter(SCORE_THRESHOLDS.graylistThreshold)).toBe(13);
  });

  it("let no good service outweigh a rejected message for long", () => {
    const { topicScoreCap = 0 } = peerScoreParams(timing, SOURCES);
    const { topicWeight, invalidMessageDeliveriesWeight } = topicScoreParams("triggered_exit", timing);
    expect(topicScoreCap + topicWeight * invalidMessageDeliveriesWeight).toBeLessThan(0);
  });

  it("never score peers down for sharing loopback or a declared test network, but do elsewhere", () => {
    const params = peerScoreParams(timing, SOURCES);
    const whitelisted = ["127.0.0.1", "127.8.9.1", "::1", "10.1.2.3", "10.2.0.1", "203.0.113.9"].filter((ip) =>
      params.IPColocationFactorWhitelist?.has(ip),
    );
    expect(whitelisted).toEqual(["127.0.0.1", "127.8.9.1", "::1", "10.1.2.3"]);
    expect(params.IPColocationFactorWeight).toBeLessThan(0);
    expect(params.behaviourPenaltyWeight).toBeLessThan(0);
  });
});
