/** Identifiers in paths. A number above 2**53 may lose its last digits here: nothing exists up there to be confused. */
import { fromHex } from "@lodestar/utils";
import type { ChainPointId, ValidatorId } from "./backend.ts";

const DECIMAL_UINT64 = /^\d{1,20}$/;

/** A state or block id of the Beacon API, or null. */
export function parseChainPointId(text: string): ChainPointId | null {
  if (text === "head" || text === "genesis" || text === "finalized" || text === "justified") {
    return { kind: "name", name: text };
  }
  if (DECIMAL_UINT64.test(text)) return { kind: "slot", slot: Number(text) };
  const root = parseHexBytes(text, 32);
  return root === null ? null : { kind: "root", root };
}

/** A validator's index or pubkey, or null. */
export function parseValidatorId(text: string): ValidatorId | null {
  if (DECIMAL_UINT64.test(text)) return { kind: "index", index: Number(text) };
  const pubkey = parseHexBytes(text, 48);
  return pubkey === null ? null : { kind: "pubkey", pubkey };
}

function parseHexBytes(text: string, sizeBytes: number): Uint8Array | null {
  if (text.length !== 2 + 2 * sizeBytes || !/^0x[0-9a-fA-F]+$/.test(text)) return null;
  return fromHex(text);
}
