/**
 * Under which names a server answers. A site may point its own name at this machine (DNS rebinding): the browser then
 * lets that site's script read and send here. Only `Host` tells such a request from others: scripts choose most other
 * headers, and browsers send neither Origin nor Sec-Fetch-* with a GET to an address that they do not trust.
 */
import { isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { failure } from "./answer.ts";

export interface OwnNames {
  /** Where the server listens: an address, or a name. */
  readonly host: string;
  /** Names beside those that no site can have, as of a proxy. */
  readonly names?: readonly string[];
}

/** Last parts of names that are nobody's to register: local networks, containers. */
const LOCAL_ENDINGS: ReadonlySet<string> = new Set(["internal", "local", "svc"]);

/** Everything else gets 403, `FORBIDDEN_HOST` and `hint`. */
export function refuseOtherNames(app: FastifyInstance, own: OwnNames, hint: string): void {
  app.addHook("onRequest", async (request, reply) => {
    // Without Host it is HTTP/1.0, as of a load balancer's health check: browsers always send one.
    if (request.headers.host === undefined || isOwnName(request.hostname, own)) return;
    const { status, body } = failure(403, `FORBIDDEN_HOST: ${hint}`);
    return reply.code(status).send(body);
  });
}

/** @param name of `Host`, without the port: it is another one behind a tunnel, and tells nothing. */
export function isOwnName(name: string, { host, names = [] }: OwnNames): boolean {
  const wanted = name.toLowerCase();
  // Nobody is asked where these are: they cannot be pointed elsewhere.
  if (wanted === "localhost" || isIP(wanted.replace(/^\[(.*)\]$/, "$1")) !== 0) return true;
  if ([host, ...names].some((one) => one.toLowerCase() === wanted)) return true;
  // Who answers for local names may be any guest of a café's network: on loopback nothing needs them, containers do.
  return !isLoopback(host) && isLocalName(wanted);
}

function isLocalName(name: string): boolean {
  const parts = name.split(".");
  return parts.length === 1 || LOCAL_ENDINGS.has(parts.at(-1) ?? "");
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
