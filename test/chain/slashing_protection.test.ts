import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CodedError } from "../../src/base/errors.ts";
import { SlashingProtection } from "../../src/chain/slashing_protection.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "msgbus-protection-"));
  path = join(directory, "slashing_protection.json");
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("slashing protection", () => {
  it("lets a validator propose once a slot, upwards", () => {
    const protection = new SlashingProtection(null);
    expect([protection.mayPropose(1, 5), protection.mayPropose(1, 5), protection.mayPropose(1, 4)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([protection.mayPropose(2, 4), protection.mayPropose(1, 6)]).toEqual([true, true]);
  });

  it("lets a validator attest once a target epoch, and surround nothing", () => {
    const protection = new SlashingProtection(null);
    expect(protection.mayAttest([1, 2], 0, 1)).toEqual([1, 2]);
    expect(protection.mayAttest([1, 2, 3], 0, 1)).toEqual([3]);
    expect(protection.mayAttest([1], 2, 4)).toEqual([1]);
    expect(protection.mayAttest([1], 1, 5)).toEqual([]);
  });

  it("remembers over a restart", () => {
    const before = new SlashingProtection(path);
    before.mayPropose(3, 9);
    before.mayAttest([3], 0, 1);
    const after = new SlashingProtection(path);
    expect(after.mayPropose(3, 9)).toBe(false);
    expect(after.mayAttest([3], 0, 1)).toEqual([]);
    expect(after.mayPropose(3, 10)).toBe(true);
  });

  it("refuses to start from a file that it cannot understand", () => {
    for (const content of ["", "{", '{"1":{"blockSlot":"x"}}', "7"]) {
      writeFileSync(path, content);
      let code = "none";
      try {
        new SlashingProtection(path);
      } catch (error) {
        code = (error as CodedError).code;
      }
      expect([content, code]).toEqual([content, "BAD_SLASHING_PROTECTION"]);
    }
  });
});
