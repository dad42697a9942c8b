import { describe, expect, test } from "vitest";
import { LAUNCHER, REPOSITORY, run } from "./run.ts";

const TREE = `${REPOSITORY}test/vectors`;

const vectors = (...args: string[]) => run([LAUNCHER, "vectors", ...args]);

describe("msgbus vectors", () => {
  test("prints a table, and leaves with 0 when all that ran has passed", async () => {
    const { code, stdout } = await vectors(TREE, "--filter", "is_valid_message_bus_proof");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^proof\/is_valid_message_bus_proof +25 +0 +0$/m);
    expect(stdout).toMatch(/^25 ran in \d/m);
  });

  test("runs both presets in one call", async () => {
    const { code, stdout } = await vectors(TREE, "--filter", "ssz_static/TriggeredExitData", "--json");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(new Set(events.slice(0, -1).map(({ path }) => path.split("/")[0]))).toEqual(new Set(["mainnet", "minimal"]));
    expect(events.at(-1)).toMatchObject({ event: "summary", passed: 6, failed: 0, skipped: 0, failures: [] });
  });

  test("leaves with 1 and names what failed", async () => {
    const { code, stdout } = await vectors(`${TREE}/missing`, "--json");
    const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(code).toBe(1);
    expect(summary.failures).toEqual([{ path: `${TREE}/missing`, reason: "does not exist", differences: [] }]);
  });

  test("leaves with 1 when nothing ran", async () => {
    const { code, stdout } = await vectors(TREE, "--filter", "no such case");
    expect(code).toBe(1);
    expect(stdout).toContain("Nothing ran");
  });
});
