import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileArtifact } from "../../contracts/compile.ts";

test("contract artifact: is what the pinned compiler makes of the source", () => {
  const committed = readFileSync(new URL("../../src/execution/contract_artifact.ts", import.meta.url), "utf8");
  expect(compileArtifact()).toBe(committed);
});
