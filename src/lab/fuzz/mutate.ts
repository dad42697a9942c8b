/** Random changes to valid operations, on every level between the SSZ and the bytes on the wire. */
import type { Random } from "../../base/random.ts";
import { compressBlock } from "../../network/encoding.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../spec/constants.ts";
import { varint } from "./rpc.ts";
import { COUNT_OFFSET, INDEX_OFFSET, PUBKEY_OFFSET, SENDER_OFFSET } from "./specimens.ts";

/** Tag of a snappy literal of up to 60 bytes: its length less one, in the upper six bits. */
const LITERAL_BYTES = 60;
/** What a bomb claims to hold. */
const BOMB_BYTES = 1024 * 1024 * 1024;
/** The seven bytes on which snappyjs 0.7.0 hangs: a literal's length that is read as negative. */
const SNAPPYJS_HANG = Uint8Array.of(0xec, 0x08, 0xfc, 0xfa, 0xff, 0xff, 0xff);

type Mutation = (valid: Uint8Array, random: Random) => Uint8Array;

const onSsz =
  (change: (ssz: Uint8Array, random: Random) => void): Mutation =>
  (valid, random) => {
    const ssz = valid.slice();
    change(ssz, random);
    return compressBlock(ssz);
  };
const onWire =
  (change: (wireData: Uint8Array, random: Random) => Uint8Array): Mutation =>
  (valid, random) =>
    change(compressBlock(valid).slice(), random);

function flipBits(bytes: Uint8Array, random: Random): Uint8Array {
  for (let left = 1 + random.below(8); left > 0; left--) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return bytes;
}

function replaceField(offset: number, sizeBytes: number): Mutation {
  return onSsz((ssz, random) => ssz.set(random.bytes(sizeBytes), offset));
}

/** Adds a small number to a uint64, which may wrap. */
function nudge(offset: number): Mutation {
  return onSsz((ssz, random) => {
    const data = new DataView(ssz.buffer);
    const step = BigInt(1 + random.below(16)) * (random.below(2) === 0 ? 1n : -1n);
    data.setBigUint64(offset, BigInt.asUintN(64, data.getBigUint64(offset, true) + step), true);
  });
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  sszBits: onSsz(flipBits),
  sibling: onSsz((ssz, random) => ssz.set(random.bytes(32), 32 * random.below(COUNT_OFFSET / 32))),
  swappedSiblings: onSsz((ssz, random) => {
    const [a, b] = [32 * random.below(32), 32 * random.below(32)];
    const first = ssz.slice(a, a + 32);
    ssz.copyWithin(a, b, b + 32);
    ssz.set(first, b);
  }),
  count: nudge(COUNT_OFFSET),
  countPadding: onSsz((ssz, random) => {
    ssz[COUNT_OFFSET + 8 + random.below(24)] = 1 + random.below(255);
  }),
  index: nudge(INDEX_OFFSET),
  /** Bits above the tree's depth, which `is_valid_merkle_branch` does not look at. */
  highIndexBits: onSsz((ssz, random) => {
    ssz[INDEX_OFFSET + 4 + random.below(4)] = 1 + random.below(255);
  }),
  sender: replaceField(SENDER_OFFSET, 20),
  pubkey: replaceField(PUBKEY_OFFSET, 48),
  shorter: (valid, random) => compressBlock(valid.subarray(0, random.below(valid.length))),
  longer: (valid, random) => compressBlock(Buffer.concat([valid, random.bytes(1 + random.below(64))])),
  wireBits: onWire(flipBits),
  cutOff: onWire((wireData, random) => wireData.subarray(0, random.below(wireData.length))),
  trailing: onWire((wireData, random) => Buffer.concat([wireData, random.bytes(1 + random.below(32))])),
  declaredLength: onWire((wireData, random) => {
    const body = wireData.subarray(varint(TRIGGERED_EXIT_SIZE_BYTES).length);
    return Buffer.concat([varint(random.below(2 ** 32)), body]);
  }),
  /** The declared length in more bytes than it needs: the same number, another encoding. */
  paddedLength: onWire((wireData) => {
    const prefix = varint(TRIGGERED_EXIT_SIZE_BYTES);
    const padded = Buffer.from(prefix);
    padded[padded.length - 1] = (padded[padded.length - 1] as number) | 0x80;
    return Buffer.concat([padded, Uint8Array.of(0), wireData.subarray(prefix.length)]);
  }),
  bomb: (valid, random) => Buffer.concat([varint(BOMB_BYTES), random.bytes(32), compressBlock(valid)]),
  snappyjsHang: (_valid, random) => Buffer.concat([SNAPPYJS_HANG, random.bytes(random.below(32))]),
  noise: (_valid, random) => random.bytes(1 + random.below(2048)),
};

const ALL = Object.values(MUTATIONS);

export function mutate(valid: Uint8Array, random: Random): Uint8Array {
  return (ALL[random.below(ALL.length)] as Mutation)(valid, random);
}

/** Another snappy block of the same bytes: literals only, of random lengths. */
export function reencode(ssz: Uint8Array, random: Random): Uint8Array {
  const parts: Uint8Array[] = [varint(ssz.length)];
  for (let at = 0; at < ssz.length; ) {
    const size = Math.min(1 + random.below(LITERAL_BYTES), ssz.length - at);
    parts.push(Uint8Array.of((size - 1) << 2), ssz.subarray(at, at + size));
    at += size;
  }
  return Buffer.concat(parts);
}
