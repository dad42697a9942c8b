import { describe, expect, test } from "vitest";
import { getInteropKeys } from "../../src/state/interop_keys.ts";
import { createLazyPubkeyCache } from "../../src/state/pubkey_cache.ts";

describe("lazy pubkey cache", () => {
  const [first, second] = getInteropKeys(2).map(({ pubkey }) => pubkey) as [Uint8Array, Uint8Array];

  test("knows both ways what was set, and nothing else", () => {
    const cache = createLazyPubkeyCache();
    cache.set(0, first);
    cache.set(1, second);
    expect(cache.size).toBe(2);
    expect(cache.getIndex(second)).toBe(1);
    expect(cache.getOrThrow(1).toBytes()).toEqual(second);
    expect(cache.get(1)).toBe(cache.get(1));
    expect(cache.get(2)).toBeUndefined();
    expect(cache.getIndex(new Uint8Array(48))).toBeNull();
    expect(() => cache.getOrThrow(2)).toThrow("No pubkey of validator 2");
  });

  test("takes bytes that are no point of the curve, and refuses them when they are used", () => {
    const cache = createLazyPubkeyCache();
    cache.set(0, new Uint8Array(48).fill(0xff));
    expect(() => cache.getOrThrow(0)).toThrow();
  });
});
