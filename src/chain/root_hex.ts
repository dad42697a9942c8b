import { toHexString } from "@chainsafe/ssz";

/** 0x-hex of 32 bytes, in small letters: a key of maps. */
export type RootHex = string;

export function toRootHex(root: Uint8Array): RootHex {
  return toHexString(root);
}

export function fromRootHex(root: RootHex): Uint8Array {
  return Uint8Array.from(Buffer.from(root.slice(2), "hex"));
}
