import { ATTESTATION_SUBNET_COUNT, DOMAIN_BEACON_ATTESTER, SLOTS_PER_EPOCH } from "@lodestar/params";
import { computeSigningRoot } from "@lodestar/state-transition";
import { type electra, ssz } from "@lodestar/types";
import { compressSync } from "snappy";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { computeSubnetForAttestation, subnetsInUse } from "../../src/chain/attestations.ts";
import type { BlockStore } from "../../src/chain/block_store.ts";
import type { AttestationVerdict } from "../../src/chain/gossip_codes.ts";
import { fromRootHex } from "../../src/chain/root_hex.ts";
import { computeForkDigestHex } from "../../src/spec/config.ts";
import type { CachedState } from "../../src/state/beacon_state.ts";
import { KEYS, TestNetwork, type TestNode } from "./network.ts";

let network: TestNetwork;
let node: TestNode;
let valid: electra.SingleAttestation;
let subnet: number;

beforeEach(async () => {
  network = new TestNetwork();
  // The validators 32 to 63 belong to nobody here: their attestations are the test's to make.
  node = network.addNode(Array.from({ length: 32 }, (_, i) => i));
  await network.run(12);
  ({ attestation: valid, subnet } = attest(node.chain.slots.currentSlot));
});

afterEach(() => network.stop());

/** Of a validator that the node does not have. */
function attest(slot: number, head = node.chain.head.root) {
  const state = node.chain.getState(head) as CachedState;
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const shuffling = state.epochCtx.getShufflingAtEpoch(epoch);
  const committees = shuffling.committees[slot % SLOTS_PER_EPOCH] as Uint32Array[];
  const committeeIndex = committees.findIndex((committee) => committee.some((index) => index >= 32));
  const attesterIndex = committees[committeeIndex]?.find((index) => index >= 32) as number;
  const data = {
    slot,
    index: 0,
    beaconBlockRoot: fromRootHex(head),
    source: state.currentJustifiedCheckpoint.toValue(),
    target: { epoch, root: fromRootHex(targetOf(epoch)) },
  };
  const attestation = sign({ committeeIndex, attesterIndex, data, signature: new Uint8Array(96) });
  return { attestation, subnet: computeSubnetForAttestation(shuffling.committeesPerSlot, slot, committeeIndex) };
}

function targetOf(epoch: number): string {
  const state = node.chain.getState("head") as CachedState;
  const slot = epoch * SLOTS_PER_EPOCH;
  if (state.slot <= slot) return node.chain.head.root;
  return `0x${Buffer.from(state.blockRoots.get(slot % state.blockRoots.length)).toString("hex")}`;
}

function sign(attestation: electra.SingleAttestation): electra.SingleAttestation {
  const { data } = attestation;
  const domain = network.config.getDomain(data.slot, DOMAIN_BEACON_ATTESTER, data.slot);
  const key = KEYS[attestation.attesterIndex % KEYS.length] as (typeof KEYS)[0];
  const signature = key.secretKey.sign(computeSigningRoot(ssz.phase0.AttestationData, data, domain)).toBytes();
  return { ...attestation, signature };
}

function withData(change: Partial<electra.SingleAttestation["data"]>): electra.SingleAttestation {
  // Cloned, because the library keeps a computed root in the object, and a spread would copy it.
  return sign({ ...valid, data: ssz.phase0.AttestationData.clone({ ...valid.data, ...change }) });
}

function judge(attestation: electra.SingleAttestation, onSubnet = subnet): Promise<AttestationVerdict> {
  return judgeBytes(compressSync(ssz.electra.SingleAttestation.serialize(attestation)), onSubnet);
}

function judgeBytes(wire: Uint8Array, onSubnet = subnet, digest = computeForkDigestHex(network.config, 1)) {
  return network.deliver("attestation", "peer", node, digest, wire, onSubnet) as Promise<AttestationVerdict>;
}

describe("gossiped attestation", () => {
  it("accepts a committee member's, once in an epoch", async () => {
    expect(await judge(valid)).toEqual({ result: "accept", code: "VALID" });
    expect(await judge(valid)).toEqual({ result: "ignore", code: "ALREADY_SEEN" });
  });

  it("puts it into the next block, and its vote into fork choice", async () => {
    await judge(valid);
    const { root } = node.chain.head;
    for (let slot = 0; slot < 16 && node.chain.head.root === root; slot++) await network.run(1);
    const found = await node.chain.getBlock(node.chain.head.root);
    const included = found?.block.signedBlock?.message.body.attestations ?? [];
    const state = node.chain.getState("head") as CachedState;
    const attesters = included.flatMap((attestation) =>
      state.epochCtx.getAttestingIndices(state.config.getForkSeq(state.slot), attestation),
    );
    expect(attesters).toContain(valid.attesterIndex);
  });

  it("rejects bytes that are no attestation", async () => {
    const bytes = ssz.electra.SingleAttestation.serialize(valid);
    expect((await judgeBytes(Uint8Array.of(0xff))).code).toBe("BAD_SNAPPY");
    expect((await judgeBytes(compressSync(bytes.subarray(1)))).code).toBe("WRONG_LENGTH");
    const inexact = bytes.slice();
    inexact[7] = 1;
    expect(await judgeBytes(compressSync(inexact))).toEqual({ result: "reject", code: "UINT64_TOO_LARGE" });
    expect((await judgeBytes(compressSync(bytes), subnet, "00000000")).code).toBe("WRONG_FORK");
  });

  it("rejects a committee index in the data, and a target of another epoch than the slot's", async () => {
    expect(await judge(withData({ index: 1 }))).toEqual({ result: "reject", code: "NONZERO_INDEX" });
    const target = { ...valid.data.target, epoch: 0 };
    expect(await judge(withData({ target }))).toEqual({ result: "reject", code: "WRONG_TARGET_EPOCH" });
  });

  it("ignores slots to come, and those of an epoch before the previous one", async () => {
    // The clock stands at the end of the slot, where the next one is allowed for already.
    const slot = valid.data.slot + 2;
    expect(await judge(withData({ slot }))).toEqual({ result: "ignore", code: "SLOT_OUT_OF_RANGE" });
    await network.run(2 * SLOTS_PER_EPOCH);
    expect(await judge(valid)).toEqual({ result: "ignore", code: "SLOT_OUT_OF_RANGE" });
  });

  it("ignores an unknown block, after waiting a second for it", async () => {
    const pending = judge(withData({ beaconBlockRoot: new Uint8Array(32).fill(1) }));
    await network.settle();
    network.clock.advance(1000);
    expect(await pending).toEqual({ result: "ignore", code: "UNKNOWN_BLOCK" });
  });

  it("accepts one whose block comes while it waits", async () => {
    const other = network.addNode([]);
    other.online = false;
    const wire = compressSync(ssz.electra.SingleAttestation.serialize(valid));
    const pending = network.deliver(
      "attestation",
      "peer",
      other,
      computeForkDigestHex(network.config, 1),
      wire,
      subnet,
    );
    for (let slot = 1; slot <= node.chain.head.slot; slot++) {
      const signedBlock = (await node.chain.getBlock(slot))?.block.signedBlock;
      if (signedBlock) await other.chain.importBlock(signedBlock);
    }
    expect(await pending).toEqual({ result: "accept", code: "VALID" });
  });

  it("ignores a block later than the attestation's slot", async () => {
    const old = attest(SLOTS_PER_EPOCH);
    expect(await judge(old.attestation, old.subnet)).toEqual({ result: "ignore", code: "BLOCK_AFTER_SLOT" });
  });

  it("rejects a target that is not the block's own checkpoint", async () => {
    const target = { ...valid.data.target, root: new Uint8Array(32).fill(2) };
    expect(await judge(withData({ target }))).toEqual({ result: "reject", code: "WRONG_TARGET" });
  });

  it("rejects a committee that does not exist, a wrong subnet, and a stranger to the committee", async () => {
    expect((await judge(sign({ ...valid, committeeIndex: 3 }))).code).toBe("UNKNOWN_COMMITTEE");
    expect((await judge(valid, (subnet + 1) % ATTESTATION_SUBNET_COUNT)).code).toBe("WRONG_SUBNET");
    const state = node.chain.getState("head") as CachedState;
    const committee = state.epochCtx.getBeaconCommittee(valid.data.slot, valid.committeeIndex);
    const attesterIndex = Array.from({ length: 32 }, (_, i) => 32 + i).find((i) => !committee.includes(i)) as number;
    expect(await judge(sign({ ...valid, attesterIndex }))).toEqual({ result: "reject", code: "NOT_IN_COMMITTEE" });
  });

  it("rejects a wrong signature, and one that is no point, and takes the right one after", async () => {
    const other = withData({ source: { epoch: 0, root: new Uint8Array(32).fill(3) } }).signature;
    expect(await judge({ ...valid, signature: other })).toEqual({ result: "reject", code: "BAD_SIGNATURE" });
    expect((await judge({ ...valid, signature: new Uint8Array(96).fill(1) })).code).toBe("BAD_SIGNATURE");
    expect((await judge(valid)).code).toBe("VALID");
  });

  it("looks at who signed before it makes a block's state again", async () => {
    const { store } = node.chain as unknown as { store: BlockStore };
    const findState = vi.spyOn(store, "findState");
    expect((await judge({ ...valid, signature: new Uint8Array(96).fill(1) })).code).toBe("BAD_SIGNATURE");
    expect(findState).not.toHaveBeenCalled();
    expect((await judge(valid)).code).toBe("VALID");
    expect(findState).toHaveBeenCalled();
  });

  it("uses as many subnets as there are committees in an epoch", () => {
    expect(subnetsInUse(node.chain.getState("head") as CachedState)).toBe(16);
  });
});
