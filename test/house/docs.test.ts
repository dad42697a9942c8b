import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMetrics } from "../../src/api/metrics.ts";
import { TRIGGERED_EXIT_CODES } from "../../src/validation/verdict.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

test("docs: the README's table gives every dependency's reason", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const rows = read("README.md")
    .split("\n")
    .filter((line) => line.startsWith("|"));
  const missing = Object.keys({ ...dependencies, ...devDependencies }).filter(
    (name) => !rows.some((row) => row.includes(`\`${name}\``)),
  );
  expect(missing).toEqual([]);
});

test("docs: the API's page has every reason code and every metric", async () => {
  const page = read("docs/api.md");
  // These stand for wire data and for a syncing node: JSON that is malformed, and 503.
  const unspoken = new Set<string>(["VALID", "BAD_SNAPPY", "WRONG_LENGTH", "NOT_SYNCED"]);
  const codes = TRIGGERED_EXIT_CODES.filter((code) => !unspoken.has(code));
  const metrics = [...(await createMetrics().render()).matchAll(/^# TYPE (msgbus_\w+)/gm)].map(([, name = ""]) => name);
  expect(metrics.length).toBeGreaterThan(5);
  expect([...codes, ...metrics].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("docs: the API's page has every route", () => {
  const routes = [...read("src/api/server.ts").matchAll(/"(\/(?:eth|metrics)[^"]*)"/g)].map(([, route = ""]) =>
    route.replace(/:(\w+)/g, "{$1}"),
  );
  expect(routes.length).toBeGreaterThan(10);
  expect(routes.filter((route) => !read("docs/api.md").includes(` ${route}`))).toEqual([]);
});

test("docs: the pages that a stranger looks for are there", () => {
  const pages = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    ".editorconfig",
  ];
  expect(pages.filter((page) => !existsSync(join(ROOT, page)))).toEqual([]);
  expect(read("LICENSE")).toContain("Apache License");
  expect(read("CHANGELOG.md")).toContain("## [Unreleased]");
});
