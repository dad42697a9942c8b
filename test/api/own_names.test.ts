import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { createMetrics } from "../../src/api/metrics.ts";
import { isOwnName } from "../../src/api/own_names.ts";
import { type ApiOptions, type ApiServer, startApiServer } from "../../src/api/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { TestBackend } from "./backend.ts";

const start = (options: Partial<ApiOptions> = {}) =>
  startApiServer(
    { port: 0, version: "msgbus/test", ...options },
    { backend: new TestBackend(), metrics: createMetrics(), logger: silentLogger, clock: systemClock },
  );

/** Not fetch: it sets Host as it likes. */
function ask(
  { port }: ApiServer,
  path: string,
  host: string,
  body?: string,
): Promise<{ status: number; body: string }> {
  const method = body === undefined ? "GET" : "POST";
  const headers = { host, ...(body !== undefined && { "content-type": "application/json" }) };
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, method, headers }, async (response) =>
      resolve({ status: response.statusCode ?? 0, body: await text(response) }),
    )
      .on("error", reject)
      .end(body);
  });
}

describe("own names", () => {
  test.each(["127.0.0.1", "192.168.1.5", "[::1]", "[fd00::1]", "localhost", "LOCALHOST"])(
    "%s is everybody's",
    (name) => {
      expect(isOwnName(name, { host: "127.0.0.1" })).toBe(true);
    },
  );

  test.each([
    "evil.example",
    "evil.example.",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "internal.evil.example",
    "[::1].evil.example",
    "svc.",
  ])("%j is refused, wherever the server listens", (name) => {
    expect(isOwnName(name, { host: "127.0.0.1" })).toBe(false);
    expect(isOwnName(name, { host: "0.0.0.0" })).toBe(false);
  });

  test.each(["node-0", "net-nodes.default.svc", "net-nodes.default.svc.cluster.local", "host.docker.internal"])(
    "%s is a container's, and none of a server on loopback",
    (name) => {
      expect(isOwnName(name, { host: "0.0.0.0" })).toBe(true);
      expect(isOwnName(name, { host: "::" })).toBe(true);
      for (const host of ["127.0.0.1", "127.0.0.2", "::1", "localhost"]) expect(isOwnName(name, { host })).toBe(false);
    },
  );

  test("a name that was given is answered to, and the one that it listens on", () => {
    expect(isOwnName("Node.Example.org", { host: "127.0.0.1", names: ["node.example.org"] })).toBe(true);
    expect(isOwnName("other.example.org", { host: "127.0.0.1", names: ["node.example.org"] })).toBe(false);
    expect(isOwnName("node.example.org", { host: "node.example.org" })).toBe(true);
  });
});

describe("api under another name", () => {
  test("gives a rebound name nothing, and takes nothing from it", async () => {
    const server = await start();
    try {
      const evil = `evil.example:${server.port}`;
      const paths = ["/", "/metrics", "/page/style.css", "/eth/v1/node/peers", "/eth/v1/events?topics=head", "/none"];
      for (const path of paths) {
        const answer = await ask(server, path, evil);
        expect([path, answer.status]).toEqual([path, 403]);
        expect(JSON.parse(answer.body)).toEqual({
          code: 403,
          message: expect.stringMatching(/^FORBIDDEN_HOST: .*--api-name/),
        });
      }
      expect((await ask(server, "/eth/v1/beacon/pool/triggered_exits", evil, "[]")).status).toBe(403);
      // Through a tunnel, the port is another one.
      for (const host of [`127.0.0.1:${server.port}`, "localhost:9000", "127.0.0.1"]) {
        expect((await ask(server, "/eth/v1/node/version", host)).status).toBe(200);
      }
    } finally {
      await server.stop();
    }
  });

  test("answers Prometheus by a container's name, and a proxy by the name that was given", async () => {
    const server = await start({ host: "0.0.0.0", names: ["node.example.org"] });
    try {
      for (const host of ["node-0:5052", "net-nodes.test.svc:5052", "node.example.org"]) {
        expect((await ask(server, "/metrics", host)).status).toBe(200);
      }
      expect((await ask(server, "/metrics", "other.example.org")).status).toBe(403);
    } finally {
      await server.stop();
    }
  });

  test("answers a health check of HTTP/1.0, which names no host", async () => {
    const server = await start();
    try {
      const socket = connect(server.port, "127.0.0.1");
      socket.write("GET /eth/v1/node/version HTTP/1.0\r\n\r\n");
      expect(await text(socket)).toMatch(/^HTTP\/1\.[01] 200 /);
    } finally {
      await server.stop();
    }
  });
});
