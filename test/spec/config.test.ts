import { createBeaconConfig } from "@lodestar/config";
import { DOMAIN_BEACON_ATTESTER, ForkName, SLOTS_PER_EPOCH } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { describe, expect, test } from "vitest";
import {
  computeForkDigestHex,
  createMessageBusConfig,
  DEFAULT_MESSAGE_BUS_PARAMETERS,
  FORKS_AT_GENESIS,
  getSignedBlockType,
  isMessageBusSlot,
} from "../../src/spec/config.ts";
import { BeaconState, SignedBeaconBlock } from "../../src/spec/types.ts";

const ROOT = new Uint8Array(32).fill(3);

function configAt(forkEpoch: number, chain = {}) {
  const parameters = { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: forkEpoch };
  return createMessageBusConfig({ ...FORKS_AT_GENESIS, ...chain }, parameters, ROOT);
}

describe("configuration", () => {
  const config = configAt(2);
  const forkSlot = 2 * SLOTS_PER_EPOCH;

  test("has our types from the fork's first slot on, and Fulu's before", () => {
    expect(config.getForkTypes(forkSlot).BeaconState).toBe(BeaconState);
    expect(config.getPostBellatrixForkTypes(forkSlot).BeaconBlock).toBe(SignedBeaconBlock.fields.message);
    expect(config.getForkTypes(forkSlot - 1).BeaconState).toBe(ssz.fulu.BeaconState);
    expect(getSignedBlockType(config, forkSlot)).toBe(SignedBeaconBlock);
    expect(getSignedBlockType(config, forkSlot - 1)).toBe(ssz.fulu.SignedBeaconBlock);
    expect(isMessageBusSlot(config, forkSlot - 1)).toBe(false);
  });

  test("is Fulu to the library, with our version", () => {
    expect(config.getForkName(forkSlot)).toBe(ForkName.fulu);
    expect(config.getForkInfo(forkSlot)).toMatchObject({ name: "message_bus", epoch: 2, prevForkName: "fulu" });
    expect(config.getForkVersion(forkSlot)).toEqual(config.MESSAGE_BUS_FORK_VERSION);
    expect(config.getForkVersion(forkSlot - 1)).toEqual(config.FULU_FORK_VERSION);
  });

  test("changes the fork digest at the fork, and no digest before it", () => {
    const fulu = createBeaconConfig(FORKS_AT_GENESIS, ROOT);
    expect(computeForkDigestHex(config, 1)).toBe(computeForkDigestHex(fulu, 1));
    expect(computeForkDigestHex(config, 2)).not.toBe(computeForkDigestHex(fulu, 2));
    expect(computeForkDigestHex(config, 1_000)).toBe(computeForkDigestHex(config, 2));
    expect(computeForkDigestHex(config, 2)).toMatch(/^[0-9a-f]{8}$/);
    expect(config.forkDigest2ForkBoundary(computeForkDigestHex(config, 2)).fork).toBe("message_bus");
  });

  test("changes the digest again where the blob schedule does, after the fork and at its epoch", () => {
    const schedule = configAt(2, {
      BLOB_SCHEDULE: [
        { EPOCH: 2, MAX_BLOBS_PER_BLOCK: 12 },
        { EPOCH: 5, MAX_BLOBS_PER_BLOCK: 15 },
      ],
    });
    const digests = [1, 2, 4, 5].map((epoch) => computeForkDigestHex(schedule, epoch));
    expect(digests[1]).toBe(digests[2]);
    expect(new Set(digests).size).toBe(3);
    expect(schedule.getForkBoundaryAtEpoch(2).fork).toBe("message_bus");
    expect(schedule.getForkBoundaryAtEpoch(5)).toEqual({ fork: "message_bus", epoch: 5 });
    expect(schedule.getMaxBlobsPerBlock(5)).toBe(15);
  });

  test("gives attestations of the epoch before the fork Fulu's domain", () => {
    const fulu = createBeaconConfig(FORKS_AT_GENESIS, ROOT);
    const before = config.getDomain(forkSlot, DOMAIN_BEACON_ATTESTER, forkSlot - 1);
    expect(before).toEqual(fulu.getDomain(forkSlot - 1, DOMAIN_BEACON_ATTESTER));
    expect(config.getDomain(forkSlot, DOMAIN_BEACON_ATTESTER)).not.toEqual(before);
  });

  test("is Fulu's for good where the fork is not scheduled", () => {
    const never = configAt(Number.POSITIVE_INFINITY);
    expect(never.getForkTypes(1_000_000).BeaconState).toBe(ssz.fulu.BeaconState);
    expect(computeForkDigestHex(never, 9)).toBe(computeForkDigestHex(createBeaconConfig(FORKS_AT_GENESIS, ROOT), 9));
  });

  test.each([
    ["a fork before Fulu", { FULU_FORK_EPOCH: 3 }, {}, /before FULU_FORK_EPOCH/],
    ["Gloas on the schedule", { GLOAS_FORK_EPOCH: 9 }, {}, /GLOAS_FORK_EPOCH/],
    ["a version of 3 bytes", {}, { MESSAGE_BUS_FORK_VERSION: new Uint8Array(3) }, /4 bytes/],
    ["an address of 32 bytes", {}, { MESSAGE_BUS_CONTRACT_ADDRESS: new Uint8Array(32) }, /20 bytes/],
    ["half an epoch", {}, { MESSAGE_BUS_FORK_EPOCH: 2.5 }, /must be an epoch/],
  ])("refuses %s", (_what, chain, parameters, message) => {
    const messageBus = { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: 2, ...parameters };
    expect(() => createMessageBusConfig({ ...FORKS_AT_GENESIS, ...chain }, messageBus, ROOT)).toThrow(message);
  });
});
