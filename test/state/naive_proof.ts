/** The proposal's own proof check, kept as the reference: it walks the branch again for each stored root. */
import { createHash } from "node:crypto";

/** @spec phase0/beacon-chain#is_valid_merkle_branch */
function isValidMerkleBranch(leaf: Uint8Array, branch: Uint8Array[], index: bigint, root: Uint8Array): boolean {
  let value = leaf;
  for (const [depth, sibling] of branch.entries()) {
    const isRight = (index >> BigInt(depth)) % 2n === 1n;
    value = createHash("sha256")
      .update(isRight ? sibling : value)
      .update(isRight ? value : sibling)
      .digest();
  }
  return Buffer.compare(value, root) === 0;
}

export function isValidMessageBusProofByLoop(
  storedRoots: Uint8Array[],
  leaf: Uint8Array,
  proof: Uint8Array[],
  index: bigint,
): boolean {
  if (index >= 2n ** 32n) return false;
  return storedRoots.some((root) => root.some((byte) => byte !== 0) && isValidMerkleBranch(leaf, proof, index, root));
}
