/** The consensus layer's side of a proof, in its plainest form. */
import { sha256 } from "@noble/hashes/sha2.js";

/** The root that 33 siblings lead to from a leaf, the last one being the count. */
export function rootFromProof(leaf: Uint8Array, index: number, proof: readonly Uint8Array[]): Uint8Array {
  let node = leaf;
  let position = index;
  for (const [level, sibling] of proof.entries()) {
    const isRight = level < 32 && position % 2 === 1;
    node = sha256(Buffer.concat(isRight ? [sibling, node] : [node, sibling]));
    position = Math.floor(position / 2);
  }
  return node;
}
