import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const FOLDER = join(import.meta.dirname, "../../docs/upstream");
const issues = readdirSync(FOLDER).filter((name) => name.endsWith(".ts") && name !== "lab.ts");
const TIMEOUT_MS = 60_000;

describe("docs/upstream", () => {
  it.each(issues)(
    "%s still shows its defect: if it is sound now, its cure can go",
    async (name) => {
      const { stdout } = await promisify(execFile)(process.execPath, [join(FOLDER, name)], { timeout: TIMEOUT_MS });
      expect(stdout.trim().split("\n").at(-1)).toMatch(/^DEFECT: /);
    },
    TIMEOUT_MS,
  );

  it("has a row in its README for each issue", () => {
    const readme = readFileSync(join(FOLDER, "README.md"), "utf8");
    expect(issues.filter((name) => !readme.includes(`](${name})`))).toEqual([]);
  });
});
