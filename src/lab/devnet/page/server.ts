/** The devnet's page, its event stream and its form: HTTP on the loopback address, for the browser of this machine alone. */
import type { AddressInfo } from "node:net";
import { fromHex } from "@lodestar/utils";
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from "fastify";
import { z } from "zod";
import { failure } from "../../../api/answer.ts";
import { refuseOtherNames } from "../../../api/own_names.ts";
import { addPageRoutes } from "../../../api/page_routes.ts";
import { ServerSentEvents } from "../../../api/server_sent_events.ts";
import type { Clock } from "../../../base/clock.ts";
import { CodedError, errorMessage } from "../../../base/errors.ts";
import type { ExitChoice, ExitRequest } from "./exit_desk.ts";
import { type PageEvent, PageFeed } from "./feed.ts";
import { type LinkedNode, NODE_TIMEOUT_MS, PEERS_PATH, readLinks } from "./links.ts";

const HOST = "127.0.0.1";

/** One pubkey and its name: more is no request of the form. */
const MAX_BODY_BYTES = 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Pages and their requests; more are closed on arrival. */
const MAX_CONNECTIONS = 128;
/** Who is connected to whom changes within heartbeats, 0.7 s; every node is asked. */
const LINKS_INTERVAL_MS = 2_000;

export interface DevnetPage {
  /** With a slash at the end. */
  readonly url: string;
  /** `timeMs`: Unix time at which it happened. */
  tell(event: PageEvent, timeMs: number): void;
  stop(): Promise<void>;
}

export interface DevnetPageDeps {
  readonly clock: Clock;
  requestExit(choice: ExitChoice): ExitRequest;
  nodes(): readonly LinkedNode[];
  /** Peers that are no nodes of the devnet, from peer id to name. */
  strangers(): ReadonlyMap<string, string>;
}

const exitBody = z.union([
  z.strictObject({ validator_index: z.string().regex(/^\d{1,9}$/) }),
  z.strictObject({ pubkey: z.string().regex(/^0x[0-9a-fA-F]{96}$/) }),
]);

/** What a browser says of a request by the page itself, and of an address that was typed. */
const OWN_SITES: readonly unknown[] = [undefined, "same-origin", "none"];

/**
 * @param port 0 takes any free one.
 * @throws CodedError PAGE_NOT_SERVED.
 */
export async function startDevnetPage(port: number, deps: DevnetPageDeps): Promise<DevnetPage> {
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  // JSON alone: any site may have a browser send text/plain or a form here without asking.
  app.removeContentTypeParser("text/plain");
  const feed = new PageFeed();
  const streams = new ServerSentEvents<"devnet">(deps.clock);
  // Tells a page that comes again whether what it has seen is of this run.
  const runId = String(Math.floor(deps.clock.nowMs()));
  refuseStrangers(app);
  addPageRoutes(app, "devnet");
  addFeedRoute(app, runId, feed, streams);
  addExitRoute(app, deps);
  addNodeRoutes(app, deps);

  const tell = (event: PageEvent, timeMs: number) => {
    const { id, text } = feed.add({ ...event, time: Math.floor(timeMs) });
    streams.sendTo("devnet", () => text, `${runId}.${id}`);
  };
  const stopLinks = tellLinks(deps, streams, tell);
  const stop = async () => {
    stopLinks();
    streams.close();
    await app.close();
  };
  try {
    await app.listen({ host: HOST, port });
  } catch (error) {
    await stop();
    throw new CodedError(
      "PAGE_NOT_SERVED",
      `The page cannot be served on ${HOST}:${port} (${errorMessage(error)}): choose another --page-port, or 0 for any free one`,
      { port },
      error,
    );
  }
  return { url: `http://${HOST}:${(app.server.address() as AddressInfo).port}/`, tell, stop };
}

/**
 * A name that its owner points at this address makes any site's script a reader of what is served here, and any site may
 * send requests here: only the page itself, under an address of this machine, is answered.
 */
function refuseStrangers(app: FastifyInstance): void {
  refuseOtherNames(app, { host: HOST }, `open the page at ${HOST}`);
  app.addHook("onRequest", async (request, reply) => {
    const { host, origin } = request.headers;
    const isOwnOrigin = origin === undefined || origin === `http://${host}`;
    const isOwn = isOwnOrigin && OWN_SITES.includes(request.headers["sec-fetch-site"]);
    // A link from elsewhere may open the page, and nothing more.
    if (!isOwn && request.url !== "/")
      return answer(reply, 403, "FORBIDDEN_ORIGIN", "only the page itself may ask this");
  });
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500;
    return status < 500
      ? answer(reply, status, "BAD_REQUEST", error.message)
      : answer(reply, 500, "INTERNAL_ERROR", errorMessage(error));
  });
}

function addFeedRoute(app: FastifyInstance, runId: string, feed: PageFeed, streams: ServerSentEvents<"devnet">): void {
  app.get("/devnet/v1/events", async (request, reply) => {
    if (streams.full) return answer(reply, 503, "TOO_MANY_STREAMS", "too many pages are open: close one");
    const [seenRun, seenId] = String(request.headers["last-event-id"] ?? "").split(".");
    const isResumed = seenRun === runId;
    const hello = { topic: "devnet" as const, data: JSON.stringify({ event: "hello", isResumed }) };
    const missed = feed.since(isResumed ? Number(seenId) || 0 : 0);
    reply.hijack();
    streams.open(reply.raw, new Set(["devnet" as const]), [
      hello,
      ...missed.map(({ id, text }) => ({ topic: "devnet" as const, data: text, id: `${runId}.${id}` })),
    ]);
  });
}

function addExitRoute(app: FastifyInstance, { requestExit }: DevnetPageDeps): void {
  app.post("/devnet/v1/exits", async (request, reply) => {
    const body = exitBody.safeParse(request.body);
    if (!body.success) {
      return answer(reply, 400, "BAD_REQUEST", 'the body must be {"validator_index": "7"} or {"pubkey": "0x…"}');
    }
    const choice =
      "pubkey" in body.data ? { pubkey: fromHex(body.data.pubkey) } : { index: Number(body.data.validator_index) };
    const outcome = requestExit(choice);
    if (outcome.status === "refused") return answer(reply, outcome.httpStatus, outcome.code, outcome.message);
    const { validatorIndex, pubkey } = outcome;
    return reply.code(202).send({ data: { validator_index: String(validatorIndex), pubkey } });
  });
}

/** One node's answers, from its own API: a page may only ask the server that it came from. */
function addNodeRoutes(app: FastifyInstance, { nodes }: DevnetPageDeps): void {
  const pass = (url: string, path: string) =>
    app.get(url, async (request, reply) => {
      const { node } = request.params as { node: string };
      const found = nodes().find(({ name }) => name === node);
      if (found === undefined) return answer(reply, 404, "UNKNOWN_NODE", "no node of this devnet has this name");
      try {
        const response = await fetch(found.apiUrl + path, { signal: AbortSignal.timeout(NODE_TIMEOUT_MS) });
        const type = response.headers.get("content-type") ?? "text/plain";
        return reply
          .code(response.status)
          .type(type)
          .send(await response.text());
      } catch (error) {
        return answer(reply, 502, "NODE_UNREACHABLE", `${node} does not answer: ${errorMessage(error)}`);
      }
    });
  pass("/devnet/v1/nodes/:node/peers", PEERS_PATH);
  pass("/devnet/v1/nodes/:node/metrics", "/metrics");
}

/** Tells of links while somebody looks, and when they have changed. */
function tellLinks(
  { clock, nodes, strangers }: DevnetPageDeps,
  streams: ServerSentEvents<"devnet">,
  tell: DevnetPage["tell"],
): () => void {
  let isAsking = false;
  let told = "[]";
  return clock.every(LINKS_INTERVAL_MS, async () => {
    if (isAsking || !streams.isHeard) return;
    isAsking = true;
    const links = await readLinks(nodes(), strangers());
    isAsking = false;
    const text = JSON.stringify(links);
    if (text === told) return;
    told = text;
    tell({ event: "links", links }, clock.nowMs());
  });
}

function answer(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).send(failure(status, `${code}: ${message}`).body);
}
