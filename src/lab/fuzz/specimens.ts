/** Endless spam with one verdict each: an operation that breaks one rule and is else as good as it can be. */
import type { Random } from "../../base/random.ts";
import { compressBlock } from "../../network/encoding.ts";
import { MESSAGE_BUS_PROOF_LENGTH, TRIGGERED_EXIT_SIZE_BYTES } from "../../spec/constants.ts";
import { TriggeredExit } from "../../spec/types.ts";
import type { TriggeredExitCode } from "../../validation/verdict.ts";
import type { Fixture, SpoiledSubjects, Subject } from "./fixture.ts";

/** Wire data, another one with each call. */
export type Specimen = (random: Random) => Uint8Array;

/** Codes that a stranger can bring about by gossip on fixed views without a contract. */
export type SpecimenCode = Exclude<
  TriggeredExitCode,
  "VALID" | "NOT_SYNCED" | "ALREADY_SEEN" | "ROOT_EXPIRED" | "FORGED_PROOF" | "INTERNAL_ERROR"
>;

const SIBLINGS_BYTES = (MESSAGE_BUS_PROOF_LENGTH - 1) * 32;

/** The exit of a message that nobody sent: its count is true, its siblings are made up. */
export function forge({ messageCount }: Fixture, { pubkey, sender }: Subject, random: Random): Uint8Array {
  const ssz = new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES);
  ssz.set(random.bytes(SIBLINGS_BYTES));
  const data = new DataView(ssz.buffer);
  data.setBigUint64(COUNT_OFFSET, BigInt(messageCount), true);
  ssz.set(sender, SENDER_OFFSET);
  data.setBigUint64(INDEX_OFFSET, BigInt(random.below(messageCount)), true);
  ssz.set(pubkey, PUBKEY_OFFSET);
  return ssz;
}

/** Offsets in the serialized operation; all its fields have fixed sizes. */
export const COUNT_OFFSET = SIBLINGS_BYTES;
export const SENDER_OFFSET = COUNT_OFFSET + 32;
export const INDEX_OFFSET = SENDER_OFFSET + 20;
export const PUBKEY_OFFSET = INDEX_OFFSET + 8;

/** Null where the network has no validator that breaks the rule, as far as we know. */
export function specimenOf(fixture: Fixture, code: SpecimenCode): Specimen | null {
  const { bystander, spoiled, expiring } = fixture;
  const forged = (change: (ssz: Uint8Array, random: Random) => void): Specimen => {
    return (random) => {
      const ssz = forge(fixture, bystander, random);
      change(ssz, random);
      return compressBlock(ssz);
    };
  };
  const ofSpoiled = (...names: (keyof SpoiledSubjects)[]): Specimen | null =>
    spoiled === null
      ? null
      : (random) =>
          compressBlock(forge(fixture, spoiled[names[random.below(names.length)] as keyof SpoiledSubjects], random));
  switch (code) {
    case "BAD_SNAPPY":
      // Declares the right length and breaks off: only decompressing tells.
      return (random) => {
        const wireData = compressBlock(forge(fixture, bystander, random));
        return wireData.subarray(0, wireData.length - 1 - random.below(64));
      };
    case "WRONG_LENGTH":
      return (random) => compressBlock(random.bytes(1 + random.below(TRIGGERED_EXIT_SIZE_BYTES - 1)));
    case "BAD_COUNT":
      return forged((ssz, random) => ssz.set(random.bytes(24), COUNT_OFFSET + 8));
    case "INDEX_OUT_OF_RANGE":
      return forged((ssz, random) => ssz.set(random.bytes(8), INDEX_OFFSET));
    case "UNKNOWN_VALIDATOR":
      return forged((ssz, random) => ssz.set(random.bytes(48), PUBKEY_OFFSET));
    case "WRONG_SENDER":
      return (random) => {
        const subjects = spoiled === null ? [bystander] : [bystander, spoiled.addressAtHead];
        const ssz = forge(fixture, subjects[random.below(subjects.length)] as Subject, random);
        ssz.set(random.bytes(20), SENDER_OFFSET);
        return compressBlock(ssz);
      };
    case "NO_EXECUTION_ADDRESS":
      return ofSpoiled("blsCredentials", "strangeCredentials");
    case "EXIT_INITIATED":
      return ofSpoiled("exiting", "exitingAtHead");
    case "TOO_YOUNG":
      return ofSpoiled("young", "almostSeasoned");
    case "PENDING_WITHDRAWAL":
      return ofSpoiled("pendingWithdrawal");
    case "UNKNOWN_ROOT":
      return forged(() => {});
    case "ROOT_EXPIRING":
      if (expiring.length === 0) return null;
      return (random) => compressBlock(expiring[random.below(expiring.length)] as Uint8Array);
  }
}

/** The pubkey that an operation is about. */
export function pubkeyOf(operation: Uint8Array): Uint8Array {
  return TriggeredExit.deserialize(operation).data.pubkey;
}
