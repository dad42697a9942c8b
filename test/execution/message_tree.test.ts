import { readFileSync } from "node:fs";
import fc from "fast-check";
import { hexToBytes } from "viem";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { seededRandom } from "../../src/base/random.ts";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import { rootFromProof } from "./proof.ts";

type Hex = `0x${string}`;
interface VectorFile {
  messages: { type: Hex; sender: Hex; payload: Hex; leaf: Hex }[];
  roots: { count: string; message_root: Hex }[];
  proofs: { index: string; count: string; proof: Hex[] }[];
}

const VECTORS = new URL("../vectors/general/message_bus/proof/message_bus/pyspec_tests/", import.meta.url);

// Numbers and 0x stay text: hex would be read as (inexact) integers.
function readVectors(name: string): VectorFile {
  return parse(readFileSync(new URL(`${name}/data.yaml`, VECTORS), "utf8"), { schema: "failsafe" });
}

function randomLeaves(count: number, seed: number): Uint8Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.bytes(32));
}

function treeOf(leaves: Uint8Array[]): MessageTree {
  const tree = new MessageTree();
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

describe.each(["counts_to_9", "counts_to_33", "counts_to_1000"])("message tree: vectors %s", (name) => {
  const { messages, roots, proofs } = readVectors(name);
  const tree = treeOf(messages.map((message) => hexToBytes(message.leaf)));

  test("hashes every message to its leaf", () => {
    for (const { type, sender, payload, leaf } of messages) {
      const hashed = getMessageLeaf(hexToBytes(type), hexToBytes(sender), hexToBytes(payload));
      expect(hashed).toEqual(hexToBytes(leaf));
    }
  });

  test("has every root that the contract had", () => {
    expect(roots.length).toBeGreaterThan(0);
    for (const { count, message_root } of roots) {
      expect(tree.rootAt(Number(count))).toEqual(hexToBytes(message_root));
    }
  });

  test("gives every proof", () => {
    expect(proofs.length).toBeGreaterThan(0);
    for (const { index, count, proof } of proofs) {
      expect(tree.proofFor(Number(index), Number(count))).toEqual(proof.map((sibling) => hexToBytes(sibling)));
    }
  });
});

describe("message tree", () => {
  test("every proof at every count leads to the root at that count", () => {
    const leaves = randomLeaves(70, 1);
    const tree = treeOf(leaves);
    for (let count = 1; count <= leaves.length; count++) {
      const root = tree.rootAt(count);
      for (let index = 0; index < count; index++) {
        expect(rootFromProof(tree.leafAt(index), index, tree.proofFor(index, count))).toEqual(root);
      }
    }
  });

  test("after any truncations and appends it is the tree of the messages that are left", () => {
    const step = fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }), append: fc.nat({ max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, seed) => {
        const random = seededRandom(seed);
        const tree = new MessageTree();
        const leaves: Uint8Array[] = [];
        for (const { keep, append } of steps) {
          leaves.length = Math.floor(leaves.length * keep);
          tree.truncate(leaves.length);
          for (let i = 0; i < append; i++) {
            leaves.push(random.bytes(32));
            tree.append(leaves.at(-1) as Uint8Array);
          }
        }
        const fresh = treeOf(leaves);
        for (let count = 0; count <= leaves.length; count++) expect(tree.rootAt(count)).toEqual(fresh.rootAt(count));
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  test("what it hands out does not change with the tree", () => {
    const tree = treeOf(randomLeaves(5, 2));
    const leaf = tree.leafAt(4);
    const proof = tree.proofFor(3, 5);
    const before = structuredClone({ leaf, proof });
    tree.truncate(0);
    for (const other of randomLeaves(9, 3)) tree.append(other);
    expect({ leaf, proof }).toEqual(before);
  });

  test("refuses counts and indices that it does not have", () => {
    const tree = treeOf(randomLeaves(3, 4));
    for (const count of [-1, 4, 1.5, Number.NaN]) {
      expect(() => tree.rootAt(count)).toThrow(RangeError);
      expect(() => tree.truncate(count)).toThrow(RangeError);
    }
    expect(() => tree.proofFor(2, 2)).toThrow(RangeError);
    expect(() => tree.leafAt(3)).toThrow(RangeError);
    expect(() => tree.append(new Uint8Array(31))).toThrow(RangeError);
  });
});
