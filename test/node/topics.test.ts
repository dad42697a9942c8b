import { describe, expect, test } from "vitest";
import { NodeTopics, scheduledForkDigests } from "../../src/node_topics.ts";
import {
  computeForkDigestHex,
  createMessageBusConfig,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
} from "../../src/spec/config.ts";

const FORK_EPOCH = 5;
const SUBNETS = 2;

const config = createMessageBusConfig(
  FORKS_AT_GENESIS,
  { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: FORK_EPOCH },
  new Uint8Array(32),
);
const fulu = computeForkDigestHex(config, FORK_EPOCH - 1);
const ours = computeForkDigestHex(config, FORK_EPOCH);

const ATTESTATIONS = ["beacon_attestation_0", "beacon_attestation_1"];
const BEFORE = ["beacon_block", ...ATTESTATIONS].map((name) => `${fulu} ${name}`);
const AFTER = ["beacon_block", "triggered_exit", ...ATTESTATIONS].map((name) => `${ours} ${name}`);

const ignore = () => ({ result: "ignore", code: "TEST" }) as const;

function createTopics() {
  const subscribed = new Set<string>();
  const calls: string[] = [];
  const topics = new NodeTopics(
    config,
    { beaconBlock: ignore, triggeredExit: ignore, attestation: () => ignore },
    {
      subscribe({ name, forkDigest }) {
        calls.push(`subscribe ${name}`);
        subscribed.add(`${forkDigest} ${name}`);
      },
      unsubscribe(name, forkDigest) {
        calls.push(`unsubscribe ${name}`);
        subscribed.delete(`${forkDigest} ${name}`);
      },
    },
  );
  return { topics, subscribed, calls };
}

describe("topics of a node", () => {
  test.each([
    ["long before the fork", 0, BEFORE],
    ["three epochs before the fork", FORK_EPOCH - 3, BEFORE],
    ["two epochs before the fork", FORK_EPOCH - 2, [...BEFORE, ...AFTER]],
    ["in the fork's epoch", FORK_EPOCH, [...BEFORE, ...AFTER]],
    ["an epoch after the fork", FORK_EPOCH + 1, [...BEFORE, ...AFTER]],
    ["three epochs after the fork", FORK_EPOCH + 3, AFTER],
    ["long after the fork", 1_000, AFTER],
  ])("topics: %s a node that starts is on the digests around it", (_, epoch, expected) => {
    const { topics, subscribed } = createTopics();
    expect(topics.update(epoch, SUBNETS)).toBe(true);
    expect([...subscribed].sort()).toEqual([...expected].sort());
  });

  test("topics: both sides overlap by two epochs, and each is joined and left once", () => {
    const { topics, subscribed, calls } = createTopics();
    const changedAt: number[] = [];
    for (let epoch = 0; epoch <= FORK_EPOCH + 4; epoch++) if (topics.update(epoch, SUBNETS)) changedAt.push(epoch);
    // Fulu's topics are kept for the two epochs FORK_EPOCH and FORK_EPOCH + 1.
    expect(changedAt).toEqual([0, FORK_EPOCH - 2, FORK_EPOCH + 2]);
    expect([...subscribed].sort()).toEqual([...AFTER].sort());
    expect(calls).toHaveLength(2 * BEFORE.length + AFTER.length);
  });

  test("topics: a node that slept over the fork leaves the old side and joins the new one at once", () => {
    const { topics, subscribed } = createTopics();
    topics.update(0, SUBNETS);
    expect(topics.update(FORK_EPOCH + 10, SUBNETS)).toBe(true);
    expect([...subscribed].sort()).toEqual([...AFTER].sort());
    expect(topics.update(FORK_EPOCH + 10, SUBNETS)).toBe(false);
  });

  test("topics: there is no triggered_exit under a digest before the fork", () => {
    const { topics, subscribed } = createTopics();
    for (let epoch = 0; epoch <= FORK_EPOCH + 4; epoch++) {
      topics.update(epoch, SUBNETS);
      expect(subscribed.has(`${fulu} triggered_exit`)).toBe(false);
    }
    expect(scheduledForkDigests(config)).toEqual(expect.arrayContaining([fulu, ours]));
  });
});
