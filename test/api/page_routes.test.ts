import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMetrics } from "../../src/api/metrics.ts";
import { type ApiServer, startApiServer } from "../../src/api/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { pageFileNames } from "../../src/page/assets.ts";
import { TestBackend } from "./backend.ts";

let server: ApiServer;

beforeEach(async () => {
  const deps = { backend: new TestBackend(), metrics: createMetrics(), logger: silentLogger, clock: systemClock };
  server = await startApiServer({ port: 0, version: "msgbus/test" }, deps);
});

afterEach(() => server.stop());

test("page: it is served at the API's root, and lets nothing run but its own files", async () => {
  const response = await fetch(`${server.url}/`);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  const html = await response.text();
  expect(html).toContain('data-kind="node"');
  // Every address in it is this server's.
  expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
});

test("page: every file that it needs is there, without types", async () => {
  const names = pageFileNames();
  expect(names).toContain("live/main.ts");
  for (const name of names) {
    const response = await fetch(`${server.url}/page/${name}`);
    expect([name, response.status]).toEqual([name, 200]);
    expect(response.headers.get("content-type")).toMatch(name.endsWith(".css") ? /^text\/css/ : /^text\/javascript/);
    const text = await response.text();
    for (const [, specifier = ""] of text.matchAll(/^import .* from "(\.[^"]+)";$/gm)) {
      const target = new URL(specifier, `http://page/${name}`).pathname.slice(1);
      expect(names, `${name} imports ${specifier}`).toContain(target);
    }
    if (name.endsWith(".ts")) expect(text).not.toMatch(/^(?:export )?interface /m);
  }
});

test("page: a browser that has a file is told that it has not changed", async () => {
  const first = await fetch(`${server.url}/page/style.css`);
  const etag = first.headers.get("etag") ?? "";
  const again = await fetch(`${server.url}/page/style.css`, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
});

test.each([
  "/page/",
  "/page/assets.ts",
  "/page/../server.ts",
  "/page/%2e%2e/api/server.ts",
  "/page/live/..%2fassets.ts",
])("page: %s is not served", async (path) => {
  // Not through fetch, which would resolve the dots itself.
  const status = await new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  expect(status).toBe(404);
});
