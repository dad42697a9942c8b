/** `/` and `/page/*`: the live page and its files. */
import type { FastifyInstance } from "fastify";
import { pageFile } from "../page/assets.ts";
import { livePage, PAGE_HEADERS, type PageKind } from "../page/document.ts";
import { failure } from "./answer.ts";

/** A browser asks again each time, and is told with 304 that nothing has changed. */
const CACHE = "no-cache";

export function addPageRoutes(app: FastifyInstance, kind: PageKind): void {
  app.get("/", async (_request, reply) =>
    reply.headers(PAGE_HEADERS).header("cache-control", CACHE).type("text/html; charset=utf-8").send(livePage(kind)),
  );
  app.get("/page/*", async (request, reply) => {
    const { "*": name } = request.params as { "*": string };
    const file = pageFile(name);
    if (file === null) {
      const { status, body } = failure(404, `No route GET ${request.url}`);
      return reply.code(status).send(body);
    }
    reply.headers(PAGE_HEADERS).header("cache-control", CACHE).header("etag", file.etag);
    if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
    return reply.type(file.type).send(file.text);
  });
}
