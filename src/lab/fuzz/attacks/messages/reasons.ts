/** One attack for each reason to refuse a message: endless spam that fails by it alone. */
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { type SpecimenCode, specimenOf } from "../../specimens.ts";

const REASONS: Readonly<Record<SpecimenCode, string>> = {
  BAD_SNAPPY: "blocks of snappy that declare the right length and break off",
  WRONG_LENGTH: "sound snappy of another length than an operation's",
  BAD_COUNT: "operations whose last sibling is no message count",
  INDEX_OUT_OF_RANGE: "operations whose index is above the count",
  UNKNOWN_VALIDATOR: "operations for public keys that no validator has",
  NO_EXECUTION_ADDRESS: "operations for validators without a withdrawal address",
  WRONG_SENDER: "operations whose sender is not the withdrawal address",
  EXIT_INITIATED: "operations for validators that are exiting already",
  TOO_YOUNG: "operations for validators that may not exit yet",
  PENDING_WITHDRAWAL: "operations for a validator with a pending withdrawal",
  UNKNOWN_ROOT: "forged proofs with a true count: of a root that no state stores",
  ROOT_EXPIRING: "true proofs against the root that the next payload evicts",
};

export const reasonAttacks: readonly Attack[] = Object.entries(REASONS).map(([code, what]) => ({
  name: `spam-${code.toLowerCase().replaceAll("_", "-")}`,
  group: "messages",
  what: `One peer floods ${what}.`,
  source: code === "BAD_SNAPPY" ? "CVE-2020-12821" : "the verdict rules (test/vectors/README.md)",
  sound: "Forwards none, hangs up within a heartbeat, and judges at most 100.",
  hangsUp: true,
  async run({ fixture, random, join, flood, skip }) {
    const specimen = specimenOf(fixture, code as SpecimenCode);
    if (specimen === null) return skip("the network has no such validator that we know of");
    const peer = await join();
    if (peer !== null) await flood(peer, () => messageFrame(fixture.topic, specimen(random)));
  },
}));
