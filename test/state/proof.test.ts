import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { MESSAGE_BUS_PROOF_LENGTH } from "../../src/spec/constants.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import {
  computeMessageBusRoot,
  isValidMessageBusProof,
  proofHasherName,
  readClaimedCount,
} from "../../src/state/proof.ts";
import { RootsIndex } from "../../src/state/roots.ts";
import { isValidMessageBusProofByLoop } from "./naive_proof.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function treeOf(leaves: readonly Uint8Array[]): MessageTree {
  const tree = new MessageTree();
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
  return flipped;
}

describe("message bus proof", () => {
  test("proof: agrees with the proposal's loop, whatever roots, branch, index and flipped bits", () => {
    fc.assert(
      fc.property(
        fc.array(bytes32, { minLength: 1, maxLength: 20 }),
        fc.nat(),
        fc.nat(),
        fc.array(bytes32, { maxLength: BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR - 1 }),
        fc.nat({ max: BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR - 1 }),
        fc.option(fc.constantFrom("leaf", "proof", "root", "index", "zero root")),
        fc.nat({ max: MESSAGE_BUS_PROOF_LENGTH * 256 - 1 }),
        (leaves, indexSeed, countSeed, otherRoots, slot, fault, bit) => {
          const tree = treeOf(leaves);
          const count = (countSeed % leaves.length) + 1;
          const position = indexSeed % count;
          let leaf = tree.leafAt(position);
          let root = tree.rootAt(count);
          let index = BigInt(position);
          const proof = tree.proofFor(position, count);
          if (fault === "leaf") leaf = flipBit(leaf, bit % 256);
          if (fault === "root") root = flipBit(root, bit % 256);
          if (fault === "zero root") root = new Uint8Array(32);
          if (fault === "index") index ^= 1n << BigInt(bit % 64);
          if (fault === "proof") proof[bit >> 8] = flipBit(proof[bit >> 8] as Uint8Array, bit & 255);
          const stored: Uint8Array[] = Array.from(
            { length: BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR },
            (_, i) => otherRoots[i] ?? new Uint8Array(32),
          );
          stored[slot] = root;
          const roots = RootsIndex.fromVector(stored, 1_000_000);

          const expected = isValidMessageBusProofByLoop(stored, leaf, proof, index);
          expect(isValidMessageBusProof(roots, leaf, proof, index)).toBe(expected);
          expect(isValidMessageBusProof(roots, leaf, Buffer.concat(proof), index)).toBe(expected);
          if (fault === null) expect(expected).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("proof: a computed root is not overwritten by the next computation", () => {
    const proof = Array.from({ length: MESSAGE_BUS_PROOF_LENGTH }, (_, i) => new Uint8Array(32).fill(i));
    const first = computeMessageBusRoot(new Uint8Array(32), proof, 0n);
    const copy = first.slice();
    computeMessageBusRoot(new Uint8Array(32).fill(9), proof, 7n);
    expect(first).toEqual(copy);
  });

  test("proof: the portable hasher takes over where the native one cannot be loaded, with the same roots", () => {
    expect(proofHasherName).toBe("hashtree");
    const hook = `
      import { registerHooks } from "node:module";
      registerHooks({ resolve(specifier, context, next) {
        if (specifier === "@chainsafe/hashtree") throw new Error("no native build");
        return next(specifier, context);
      }});`;
    const script = `
      const { computeMessageBusRoot, proofHasherName } = await import("./src/state/proof.ts");
      const proof = Array.from({ length: 33 }, (_, i) => new Uint8Array(32).fill(i));
      const root = computeMessageBusRoot(new Uint8Array(32).fill(5), proof, 123456789n);
      process.stdout.write(JSON.stringify([proofHasherName, Buffer.from(root).toString("hex")]));`;
    const output = execFileSync(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, "--input-type=module", "--eval", script],
      { cwd: join(import.meta.dirname, "../.."), encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "" } },
    );
    const proof = Array.from({ length: 33 }, (_, i) => new Uint8Array(32).fill(i));
    const root = computeMessageBusRoot(new Uint8Array(32).fill(5), proof, 123456789n);
    expect(JSON.parse(output)).toEqual(["noble", Buffer.from(root).toString("hex")]);
  });
});

describe("claimed count", () => {
  function chunk(count: bigint, flippedByte?: number): Uint8Array {
    const bytes = new Uint8Array(40);
    new DataView(bytes.buffer).setBigUint64(8, count, true);
    if (flippedByte !== undefined) bytes[8 + flippedByte] = 1;
    // Not at the start of its buffer, as in a serialized operation.
    return bytes.subarray(8);
  }

  test("claimed count: is the little-endian uint64 before 24 zero bytes", () => {
    expect(readClaimedCount(chunk(0n))).toBe(0n);
    expect(readClaimedCount(chunk(258n))).toBe(258n);
    expect(readClaimedCount(chunk(2n ** 32n))).toBe(2n ** 32n);
  });

  test("claimed count: is none above the contract's capacity, or where any other byte is set", () => {
    expect(readClaimedCount(chunk(2n ** 32n + 1n))).toBeNull();
    expect(readClaimedCount(chunk(2n ** 64n - 1n))).toBeNull();
    for (let byte = 8; byte < 32; byte++) expect(readClaimedCount(chunk(1n, byte))).toBeNull();
  });
});
