import { createTopicScoreParams, validateTopicScoreParams } from "@chainsafe/libp2p-gossipsub/score";
import { describe, expect, it } from "vitest";
import { peerScoreParams, SCORE_THRESHOLDS, topicScoreParams } from "../../src/network/scoring.ts";

const MAINNET = { slotMs: 12_000, slotsPerEpoch: 32 };
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
    const { topicScoreCap = 0 } = peerScoreParams(timing);
    const { topicWeight, invalidMessageDeliveriesWeight } = topicScoreParams("triggered_exit", timing);
    expect(topicScoreCap + topicWeight * invalidMessageDeliveriesWeight).toBeLessThan(0);
  });

  it("never score peers down for sharing the loopback address, but do elsewhere", () => {
    const params = peerScoreParams(timing);
    expect(params.IPColocationFactorWhitelist?.has("127.0.0.1")).toBe(true);
    expect(params.IPColocationFactorWeight).toBeLessThan(0);
    expect(params.behaviourPenaltyWeight).toBeLessThan(0);
  });
});
