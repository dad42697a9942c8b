/** The HTTP server: routes, limits, and the one place where a throw becomes an answer. */
import { Readable } from "node:stream";
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from "fastify";
import type { Clock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Answer, failure } from "./answer.ts";
import type { ApiBackend } from "./backend.ts";
import * as beacon from "./beacon_routes.ts";
import { EVENT_TOPICS, EventStreams, isEventTopic } from "./event_stream.ts";
import type { Metrics } from "./metrics.ts";
import * as node from "./node_routes.ts";
import { refuseOtherNames } from "./own_names.ts";
import { addPageRoutes } from "./page_routes.ts";

export const DEFAULT_API_HOST = "127.0.0.1";

/** Bytes of a request's body: MAX_SUBMITTED_EXITS indented exits (3.4 kB each) and as much again. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** Sockets open at once; more are closed on arrival, so that the API cannot eat the descriptors that gossip needs. */
const MAX_CONNECTIONS = 256;

/** A request that has not come whole by then is cut off. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Characters of an id in a path: a pubkey has 98. */
const MAX_ID_LENGTH = 128;

export interface ApiOptions {
  readonly host?: string;
  /** Names that it answers to, beside those of `refuseOtherNames`. */
  readonly names?: readonly string[];
  /** 0 takes any free port. */
  readonly port: number;
  /** What `/eth/v1/node/version` says. */
  readonly version: string;
}

export interface ApiDeps {
  readonly backend: ApiBackend;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface ApiServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Ends event streams and open requests, and frees the port. */
  stop(): Promise<void>;
}

/** @throws CodedError ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, ADDRESS_FORBIDDEN. */
export async function startApiServer(options: ApiOptions, deps: ApiDeps): Promise<ApiServer> {
  const { host = DEFAULT_API_HOST, names = [], port } = options;
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: MAX_ID_LENGTH },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  // JSON alone: a page in a browser can send text/plain to a local port without asking, but not this.
  app.removeContentTypeParser("text/plain");
  refuseOtherNames(app, { host, names }, "ask by an address, or have the node started with --api-name for this name");
  handleFailures(app, deps.logger);
  addRoutes(app, deps.backend, options.version);
  app.get("/metrics", async (_request, reply) =>
    reply.type(deps.metrics.contentType).send(await deps.metrics.render()),
  );
  addPageRoutes(app, "node");
  const streams = new EventStreams(deps.clock);
  addEventRoute(app, streams);
  const unsubscribe = deps.backend.subscribe((event) => streams.send(event));
  const stop = async () => {
    unsubscribe();
    streams.close();
    await app.close();
  };
  try {
    const url = await app.listen({ host, port });
    return { url, port: Number(new URL(url).port), stop };
  } catch (error) {
    await stop();
    throw listenError(error, host, port);
  }
}

function addRoutes(app: FastifyInstance, backend: ApiBackend, version: string): void {
  type Read = (params: Record<string, string>, query: Record<string, unknown>) => Answer | Promise<Answer>;
  const get = (url: string, read: Read) =>
    app.get(url, async (request, reply) =>
      send(reply, await read(request.params as Record<string, string>, request.query as Record<string, unknown>)),
    );
  get("/eth/v1/node/identity", () => node.getIdentity(backend));
  get("/eth/v1/node/peers", (_, query) => node.getPeers(backend, queryList(query.state), queryList(query.direction)));
  get("/eth/v1/node/version", () => node.getVersion(version));
  get("/eth/v1/node/syncing", () => node.getSyncing(backend));
  get("/eth/v1/node/health", (_, query) => node.getHealth(backend, queryList(query.syncing_status)[0]));
  get("/eth/v1/beacon/genesis", () => beacon.getGenesis(backend));
  get("/eth/v1/beacon/headers/:block", ({ block = "" }) => beacon.getHeader(backend, block));
  get("/eth/v1/beacon/states/:state/finality_checkpoints", ({ state = "" }) =>
    beacon.getFinalityCheckpoints(backend, state),
  );
  get("/eth/v1/beacon/states/:state/validators/:validator", ({ state = "", validator = "" }) =>
    beacon.getValidator(backend, state, validator),
  );
  get("/eth/v1/beacon/pool/triggered_exits", () => beacon.getPoolTriggeredExits(backend));
  app.post("/eth/v1/beacon/pool/triggered_exits", async (request, reply) =>
    send(reply, await beacon.submitPoolTriggeredExits(backend, request.body)),
  );
}

function addEventRoute(app: FastifyInstance, streams: EventStreams): void {
  app.get("/eth/v1/events", async (request, reply) => {
    const topics = queryList((request.query as Record<string, unknown>).topics);
    const unknown = topics.find((topic) => !isEventTopic(topic));
    if (topics.length === 0 || unknown !== undefined) {
      const problem = unknown === undefined ? "No topics given" : `Invalid topic: ${unknown}`;
      return send(reply, failure(400, `${problem}. The topics are ${EVENT_TOPICS.join(", ")}`));
    }
    if (streams.full) return send(reply, failure(503, "Too many event streams are open: try again later"));
    reply.hijack();
    streams.open(reply.raw, new Set(topics.filter(isEventTopic)));
  });
}

function handleFailures(app: FastifyInstance, logger: Logger): void {
  app.setNotFoundHandler((request, reply) => send(reply, failure(404, `No route ${request.method} ${request.url}`)));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    // The framework's own refusals: bad JSON, a body too large, another content type.
    if (status >= 400 && status < 500) return send(reply, failure(status, error.message));
    logger.error({ err: error, method: request.method, url: request.url }, "API request failed");
    const code = error instanceof CodedError ? error.code : "INTERNAL_ERROR";
    const sentence = error instanceof CodedError ? error.message : "unexpected failure, the node's log says more";
    return send(reply, failure(500, `${code}: ${sentence}`));
  });
}

function send(reply: FastifyReply, { status, body, parts }: Answer): FastifyReply {
  if (parts === undefined) return reply.code(status).send(body);
  return reply.code(status).type("application/json").send(Readable.from(parts));
}

/** `?a=1&a=2` and `?a=1,2` alike. */
function queryList(value: unknown): string[] {
  return [value ?? []].flat().flatMap((text) => String(text).split(","));
}

function listenError(error: unknown, host: string, port: number): unknown {
  const fields = { host, port };
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new CodedError(
        "ADDRESS_IN_USE",
        `The API cannot listen on ${host}:${port}: the port is taken, choose another with --api-port (0 takes any free one)`,
        fields,
        error,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new CodedError(
        "ADDRESS_NOT_AVAILABLE",
        `The API cannot listen on ${host}: no address of this machine`,
        fields,
        error,
      );
    case "EACCES":
      return new CodedError(
        "ADDRESS_FORBIDDEN",
        `The API may not listen on ${host}:${port} (${errorMessage(error)}): choose a port from 1024`,
        fields,
        error,
      );
    default:
      return error;
  }
}
