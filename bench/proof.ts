/** The proof check beside the bare native hashes that it needs, and beside the proposal's loop over all roots. */
import { hashInto } from "@chainsafe/hashtree";
import { MessageTree } from "../src/execution/message_tree.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../src/spec/preset.ts";
import { isValidMessageBusProof, proofHasherName } from "../src/state/proof.ts";
import { RootsIndex } from "../src/state/roots.ts";
import { isValidMessageBusProofByLoop } from "../test/state/naive_proof.ts";
import { formatUs, tell } from "./figure.ts";
import { compare, median, ratio } from "./measure.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const HASHES = 33;
const FEW_ROOTS = 64;
/** The loop takes seconds: fewer rounds. */
const LOOP_ROUNDS = 3;

const tree = new MessageTree();
for (let i = 0; i < WINDOW; i++) tree.append(leafOf(i));
const index = 4_711;
const leaf = tree.leafAt(index);
const proof = tree.proofFor(index, tree.count);
const serializedProof = new Uint8Array(Buffer.concat(proof));
const spam = serializedProof.with(0, (serializedProof[0] as number) ^ 1);

/** `count` different roots, the proof's among them; the other slots hold none. */
function storedRoots(count: number): Uint8Array[] {
  return Array.from({ length: WINDOW }, (_, slot) =>
    slot < count ? tree.rootAt(tree.count - slot) : new Uint8Array(32),
  );
}

const manyStored = storedRoots(WINDOW);
const many = RootsIndex.fromVector(manyStored, WINDOW - 1);
const few = RootsIndex.fromVector(storedRoots(FEW_ROOTS), WINDOW - 1);
if (!isValidMessageBusProof(many, leaf, proof, BigInt(index))) throw new Error("The benchmark's proof is not valid");

// Each hash takes the one before, as a branch does, and none copies a sibling.
const even = new Uint8Array(64);
const odd = new Uint8Array(64);
const [evenLeft, oddLeft] = [even.subarray(0, 32), odd.subarray(0, 32)];
function bareChain(): void {
  for (let i = 0; i < HASHES; i += 2) {
    hashInto(even, oddLeft);
    if (i + 1 < HASHES) hashInto(odd, evenLeft);
  }
}

const timings = compare({
  bare: bareChain,
  check: () => isValidMessageBusProof(many, leaf, serializedProof, BigInt(index)),
  siblings: () => isValidMessageBusProof(many, leaf, proof, BigInt(index)),
  spam: () => isValidMessageBusProof(many, leaf, spam, BigInt(index)),
  few: () => isValidMessageBusProof(few, leaf, serializedProof, BigInt(index)),
});
const { bare, check, siblings, spam: spamCheck, few: fewCheck } = timings;
const against = (timing: typeof bare, reference: string) => `${formatUs(timing.medianUs)} against ${reference}`;
const bareText = `${formatUs(bare.medianUs)} (hashtree)`;

tell({
  name: "proof: check against the bare chain of its 33 hashes",
  value: ratio(check, bare),
  unit: "×",
  detail: `${against(check, bareText)}; the node's hasher: ${proofHasherName}`,
  goal: { atMost: 1.3 },
});
tell({
  name: "proof: the same of a block's operation, siblings apart",
  value: ratio(siblings, bare),
  unit: "×",
  detail: against(siblings, bareText),
  goal: { atMost: 1.3 },
});
tell({
  name: `proof: check with ${WINDOW} stored roots against ${FEW_ROOTS}`,
  value: ratio(check, fewCheck),
  unit: "×",
  detail: against(check, formatUs(fewCheck.medianUs)),
  goal: { atMost: 1.1 },
});

const loopUs: number[] = [];
for (let round = 0; round < LOOP_ROUNDS; round++) {
  const startedMs = performance.now();
  const siblingsOfSpam = [spam.subarray(0, 32), ...proof.slice(1)];
  if (isValidMessageBusProofByLoop(manyStored, leaf, siblingsOfSpam, BigInt(index))) throw new Error("Spam is valid");
  loopUs.push((performance.now() - startedMs) * 1000);
}
tell({
  name: `proof: a forged one against the proposal's loop over ${WINDOW} roots`,
  value: median(loopUs) / spamCheck.medianUs,
  unit: "×",
  detail: against(spamCheck, formatUs(median(loopUs))),
  goal: { atLeast: 5_000 },
});
tell({
  name: `proof: the same, if the loop hashed as fast as bare native calls`,
  value: (bare.medianUs * WINDOW) / spamCheck.medianUs,
  unit: "×",
  detail: against(spamCheck, `${WINDOW} × ${bareText}`),
  goal: { atLeast: 5_000 },
});

function leafOf(i: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(1);
  new DataView(bytes.buffer).setUint32(0, i);
  return bytes;
}
