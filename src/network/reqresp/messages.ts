/**
 * SSZ payloads of the req/resp protocols. All have fixed offsets, so they are read and written by hand; uint64s are
 * range-checked on the way in.
 * @spec phase0/p2p-interface.md#messages
 */
import { ATTESTATION_SUBNET_COUNT, SYNC_COMMITTEE_SUBNET_COUNT } from "@lodestar/params";
import { CodedError } from "../../base/errors.ts";
import type { StatusMessage } from "../network.ts";

const ROOT_SIZE = 32;
export const STATUS_V1_SIZE = 84;
export const STATUS_V2_SIZE = 92;
export const UINT64_SIZE = 8;
export const BLOCKS_BY_RANGE_SIZE = 24;
const METADATA_V2_SIZE = UINT64_SIZE + ATTESTATION_SUBNET_COUNT / 8 + Math.ceil(SYNC_COMMITTEE_SUBNET_COUNT / 8);
export const METADATA_V3_SIZE = METADATA_V2_SIZE + UINT64_SIZE;

/** @spec deneb/p2p-interface.md#configuration */
export const MAX_REQUEST_BLOCKS = 128;

export interface BlocksByRange {
  readonly startSlot: number;
  readonly count: number;
}

/** v2, or v1 where `size` says so. */
export function encodeStatus(status: StatusMessage, size: number): Uint8Array {
  const out = Buffer.alloc(STATUS_V2_SIZE);
  out.set(status.forkDigest, 0);
  out.set(status.finalizedRoot, 4);
  out.writeBigUInt64LE(BigInt(status.finalizedEpoch), 36);
  out.set(status.headRoot, 44);
  out.writeBigUInt64LE(BigInt(status.headSlot), 76);
  out.writeBigUInt64LE(BigInt(status.earliestAvailableSlot), 84);
  return out.subarray(0, size);
}

export function decodeStatus(ssz: Uint8Array): StatusMessage {
  return {
    forkDigest: ssz.slice(0, 4),
    finalizedRoot: ssz.slice(4, 36),
    finalizedEpoch: readUint64(ssz, 36),
    headRoot: ssz.slice(44, 76),
    headSlot: readUint64(ssz, 76),
    // v1 does not tell; whoever speaks it has all blocks.
    earliestAvailableSlot: ssz.length === STATUS_V2_SIZE ? readUint64(ssz, 84) : 0,
  };
}

export function encodeUint64(value: bigint): Uint8Array {
  const out = Buffer.alloc(UINT64_SIZE);
  out.writeBigUInt64LE(value);
  return out;
}

/** Ours never changes: no subnets are announced, which is what a node says that takes part in all of them by gossip. */
export function encodeMetadata(size: number): Uint8Array {
  return new Uint8Array(size);
}

export function encodeBlocksByRange({ startSlot, count }: BlocksByRange): Uint8Array {
  const out = Buffer.alloc(BLOCKS_BY_RANGE_SIZE);
  out.writeBigUInt64LE(BigInt(startSlot), 0);
  out.writeBigUInt64LE(BigInt(count), 8);
  // `step` is deprecated and must be 1.
  out.writeBigUInt64LE(1n, 16);
  return out;
}

/** `count` comes back cut to MAX_REQUEST_BLOCKS, as the specification lets a server do. */
export function decodeBlocksByRange(ssz: Uint8Array): BlocksByRange {
  const startSlot = readUint64(ssz, 0);
  const count = readUint64(ssz, 8);
  if (count < 1 || readUint64(ssz, 16) !== 1) throw badPayload("count must be at least 1, step must be 1");
  return { startSlot, count: Math.min(count, MAX_REQUEST_BLOCKS) };
}

export function encodeBlocksByRoot(roots: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(roots);
}

export function decodeBlocksByRoot(ssz: Uint8Array): Uint8Array[] {
  const count = ssz.length / ROOT_SIZE;
  if (!Number.isInteger(count) || count < 1 || count > MAX_REQUEST_BLOCKS) {
    throw badPayload(`between 1 and ${MAX_REQUEST_BLOCKS} roots of 32 bytes`);
  }
  return Array.from({ length: count }, (_, i) => ssz.slice(i * ROOT_SIZE, (i + 1) * ROOT_SIZE));
}

function readUint64(ssz: Uint8Array, offset: number): number {
  const value = Buffer.from(ssz.buffer, ssz.byteOffset, ssz.byteLength).readBigUInt64LE(offset);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badPayload("a uint64 that no chain can reach");
  return Number(value);
}

function badPayload(what: string): CodedError {
  return new CodedError("BAD_PAYLOAD", `Malformed request or response: ${what}`);
}
