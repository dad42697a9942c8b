/**
 * The proof that the message bus contract holds a message: 32 tree siblings from the leaf up, then the count chunk.
 * A proof costs 33 hashes whatever the state is: the root is computed once and looked up, where the proposal's
 * listing walks the branch again for each stored root.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { MESSAGE_BUS_CAPACITY, MESSAGE_BUS_PROOF_LENGTH } from "../spec/constants.ts";
import type { RootsView } from "./roots.ts";

const HASH_SIZE_BYTES = 32;
export const PROOF_SIZE_BYTES = MESSAGE_BUS_PROOF_LENGTH * HASH_SIZE_BYTES;

/** sha256 of a 64-byte `input` into a 32-byte `output` that does not overlap it. */
type HashInto = (input: Uint8Array, output: Uint8Array) => void;

/**
 * Chosen once, at import. 33 hashes, Node 26, SHA-NI: hashtree 8.2 µs, as-sha256 23, `crypto.hash` 41, noble 60; with
 * moving the siblings into place and the look-up, a check takes 1.17 times the bare hashtree calls.
 */
const { hashInto, name } = await chooseHasher();

/** For the log: `hashtree` (native) or `noble` (portable). */
export const proofHasherName: "hashtree" | "noble" = name;

async function chooseHasher(): Promise<{ hashInto: HashInto; name: "hashtree" | "noble" }> {
  try {
    const hashtree = await import("@chainsafe/hashtree");
    return { hashInto: hashtree.hashInto, name: "hashtree" };
  } catch {
    // No native build for this platform.
    return { hashInto: (input, output) => sha256.create().update(input).digestInto(output), name: "noble" };
  }
}

/**
 * One working memory for all calls, so that a sibling costs no allocation: the proof, then two hash inputs. A level's
 * hash goes straight into the other input, so that native code never reads what it writes.
 */
const memory = new Uint8Array(PROOF_SIZE_BYTES + 4 * HASH_SIZE_BYTES);
const words = new Uint32Array(memory.buffer);
const evenLevel = hashInputAt(PROOF_SIZE_BYTES);
const oddLevel = hashInputAt(PROOF_SIZE_BYTES + 2 * HASH_SIZE_BYTES);

function hashInputAt(offset: number) {
  const input = memory.subarray(offset, offset + 2 * HASH_SIZE_BYTES);
  return { offset, input, left: input.subarray(0, HASH_SIZE_BYTES), right: input.subarray(HASH_SIZE_BYTES) };
}

/** Within `memory`; word by word takes a fifth of what `copyWithin` takes for so little. */
function copyHash(fromByte: number, toByte: number): void {
  const from = fromByte >>> 2;
  const to = toByte >>> 2;
  for (let i = 0; i < HASH_SIZE_BYTES / 4; i++) words[to + i] = words[from + i] as number;
}

/**
 * The message root that a branch leads to: what `getMessageRoot()` answered if the proof is true.
 *
 * @param leaf 32 bytes.
 * @param proof 33 siblings of 32 bytes, or the same serialized: 1056 bytes.
 * @param index below MESSAGE_BUS_CAPACITY: the caller has checked it, higher bits are not looked at.
 * @returns 32 bytes, the caller's own.
 * @spec specs/message-bus/beacon-chain.md#compute_message_bus_root
 */
export function computeMessageBusRoot(
  leaf: Uint8Array,
  proof: readonly Uint8Array[] | Uint8Array,
  index: bigint,
): Uint8Array {
  const siblings = proof instanceof Uint8Array ? null : proof;
  if (proof instanceof Uint8Array) memory.set(proof);

  let path = Number(index & (MESSAGE_BUS_CAPACITY - 1n));
  let level = evenLevel;
  let next = oddLevel;
  (path & 1 ? level.right : level.left).set(leaf);
  for (let i = 0; i < MESSAGE_BUS_PROOF_LENGTH; i++) {
    const target = path & 1 ? level.offset : level.offset + HASH_SIZE_BYTES;
    if (siblings !== null) memory.set(siblings[i] as Uint8Array, target);
    else copyHash(i * HASH_SIZE_BYTES, target);
    path >>>= 1;
    hashInto(level.input, path & 1 ? next.right : next.left);
    [level, next] = [next, level];
  }
  return level.left.slice();
}

/**
 * Whether the branch leads from the leaf to a stored root. The count that its last sibling claims is not looked at.
 * @spec specs/message-bus/beacon-chain.md#is_valid_message_bus_proof
 */
export function isValidMessageBusProof(
  roots: Pick<RootsView, "has">,
  leaf: Uint8Array,
  proof: readonly Uint8Array[] | Uint8Array,
  index: bigint,
): boolean {
  // is_valid_merkle_branch ignores bits above the depth: without the bound one message would have many encodings.
  return index < MESSAGE_BUS_CAPACITY && roots.has(computeMessageBusRoot(leaf, proof, index));
}

/**
 * The message count in a proof's last sibling: uint64 little-endian, 24 zero bytes. Null where it is no count of this
 * contract's tree. Zero is returned as it is: no index is below it.
 *
 * @param bytes the sibling, or what holds it at `offset`.
 * @spec specs/message-bus/beacon-chain.md#get_claimed_message_count
 * @spec specs/message-bus/beacon-chain.md#is_valid_message_count
 */
export function readClaimedCount(bytes: Uint8Array, offset = 0): bigint | null {
  for (let i = offset + 8; i < offset + HASH_SIZE_BYTES; i++) if (bytes[i] !== 0) return null;
  const count = readUint64(bytes, offset);
  return count <= MESSAGE_BUS_CAPACITY ? count : null;
}

/** Little-endian, as SSZ has it; a DataView for so little costs three times as much. */
export function readUint64(bytes: Uint8Array, offset: number): bigint {
  const low = readUint32(bytes, offset);
  const high = readUint32(bytes, offset + 4);
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}

function readUint32(bytes: Uint8Array, offset: number): number {
  const byteAt = (i: number) => bytes[offset + i] as number;
  return (byteAt(0) | (byteAt(1) << 8) | (byteAt(2) << 16) | (byteAt(3) << 24)) >>> 0;
}
