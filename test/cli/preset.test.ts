import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requestedPreset } from "../../src/cli/preset.ts";

let networkDir: string;

beforeAll(() => {
  networkDir = mkdtempSync(join(tmpdir(), "msgbus-cli-"));
});

afterAll(() => rmSync(networkDir, { recursive: true }));

function writeConfig(text: string): void {
  writeFileSync(join(networkDir, "config.yaml"), text);
}

test("preset: an option wins over the network directory", () => {
  writeConfig("PRESET_BASE: minimal\n");
  expect(requestedPreset(["node", "--network", networkDir])).toBe("minimal");
  expect(requestedPreset(["node", `--network=${networkDir}`])).toBe("minimal");
  expect(requestedPreset(["node", "--network", networkDir, "--preset", "mainnet"])).toBe("mainnet");
  writeConfig("PRESET_BASE: 'mainnet'\nSECONDS_PER_SLOT: 12\n");
  expect(requestedPreset(["node", "--network", networkDir])).toBe("mainnet");
});

test("preset: none where none is named, or where the command's own parser will refuse it", () => {
  expect(requestedPreset(["send", "--key", "0x00"])).toBeNull();
  expect(requestedPreset(["genesis", "--preset", "huge"])).toBeNull();
  expect(requestedPreset(["genesis", "--preset"])).toBeNull();
});

test("preset: a network directory that is missing or broken is named", () => {
  const nowhere = join(networkDir, "nowhere");
  expect(() => requestedPreset(["node", "--network", nowhere])).toThrow(
    expect.objectContaining({ code: "NETWORK_UNREADABLE", message: expect.stringContaining(nowhere) }),
  );
  for (const text of ["PRESET_BASE: huge\n", "PRESET_BASE: 1\n", "[]\n", "", "a: b: c\n"]) {
    writeConfig(text);
    expect(() => requestedPreset(["node", "--network", networkDir])).toThrow(
      expect.objectContaining({ code: "NETWORK_INVALID", message: expect.stringContaining("config.yaml") }),
    );
  }
});
