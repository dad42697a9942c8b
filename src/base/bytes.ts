/** All zeros is how the protocol writes "none": a root before the fork, a state root not filled in yet. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
