import { request } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/base/clock.ts";
import { CodedError } from "../../../../src/base/errors.ts";
import { ExitDesk } from "../../../../src/lab/devnet/page/exit_desk.ts";
import type { PageEvent, PageOnlyEvent } from "../../../../src/lab/devnet/page/feed.ts";
import { MAX_RECENT_EVENTS } from "../../../../src/lab/devnet/page/feed.ts";
import { type DevnetPage, startDevnetPage } from "../../../../src/lab/devnet/page/server.ts";
import type { PlannedMessage } from "../../../../src/lab/devnet/scenario.ts";

const PUBKEYS = Array.from({ length: 64 }, (_, k) => new Uint8Array(48).fill(k + 1));

let page: DevnetPage;
let desk: ExitDesk;
let sent: PlannedMessage[];
let told: PageOnlyEvent[];
let fault: Error | null;

beforeEach(async () => {
  sent = [];
  told = [];
  fault = null;
  desk = new ExitDesk({
    pubkeys: PUBKEYS,
    reserved: new Set([5]),
    accountOf: (index) => index % 10,
    async send(message) {
      if (fault !== null) throw fault;
      sent.push(message);
    },
    onEvent: (event) => told.push(event),
  });
  desk.open();
  page = await startDevnetPage(0, {
    clock: systemClock,
    nodes: () => [{ name: "node-0", peerId: null, apiUrl: "http://127.0.0.1:1" }],
    strangers: () => new Map(),
    requestExit: (choice) => desk.ask(choice),
  });
});

afterEach(() => page.stop());

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Not fetch: it sets Host and Origin as it likes. */
async function ask(path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const { hostname, port } = new URL(page.url);
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers }, async (response) =>
      resolve({ status: response.statusCode ?? 0, body: await text(response) }),
    )
      .on("error", reject)
      .end(body);
  });
}

const JSON_TYPE = { "content-type": "application/json" };
const send = (body: unknown, headers: Record<string, string> = JSON_TYPE) =>
  ask("/devnet/v1/exits", headers, typeof body === "string" ? body : JSON.stringify(body));

describe("devnet page: the form's endpoint", () => {
  test("has an exit sent from the validator's account, named by index or by pubkey", async () => {
    expect(await send({ validator_index: "7" })).toMatchObject({ status: 202 });
    const pubkey = `0x${"09".repeat(48)}`;
    expect(JSON.parse((await send({ pubkey })).body)).toEqual({ data: { validator_index: "8", pubkey } });
    expect(sent.map(({ validatorIndex, account }) => [validatorIndex, account])).toEqual([
      [7, 7],
      [8, 8],
    ]);
    expect(told.map(({ event }) => event)).toEqual(["exit_requested", "exit_requested"]);
  });

  test.each([
    ["{", 400],
    [{}, 400],
    [{ validator_index: 7 }, 400],
    [{ validator_index: "-1" }, 400],
    [{ pubkey: "0x12" }, 400],
    [{ validator_index: "7", pubkey: `0x${"09".repeat(48)}` }, 400],
    [{ validator_index: "64" }, 404],
    [{ pubkey: `0x${"ee".repeat(48)}` }, 404],
    [{ validator_index: "5" }, 409],
    [{ pubkey: "0".repeat(2_000) }, 413],
  ])("refuses %j", async (body, status) => {
    const answer = await send(body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ code: status, message: expect.stringMatching(/^[A-Z_]+: /) });
    expect(sent).toEqual([]);
  });

  test("refuses what a form of another site can send", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      expect((await send('{"validator_index":"7"}', { "content-type": type })).status).toBe(415);
    }
    expect(sent).toEqual([]);
  });

  test("asks for the same validator once, and leaves half of them", async () => {
    expect((await send({ validator_index: "7" })).status).toBe(202);
    expect((await send({ validator_index: "7" })).body).toContain("ALREADY_ASKED");
    const answers = [];
    for (let index = 8; index < 50; index++) answers.push(await send({ validator_index: String(index) }));
    expect(answers.at(-1)?.body).toContain("TOO_FEW_LEFT");
    expect(sent).toHaveLength(31);
  });

  test("tells why an exit could not be sent, and takes it again", async () => {
    fault = new CodedError("EL_UNAVAILABLE", "it is away", {}, new Error("Request body: 0x"));
    expect((await send({ validator_index: "7" })).status).toBe(202);
    expect(told.at(-1)).toMatchObject({ event: "exit_failed", code: "EL_UNAVAILABLE", validatorIndex: 7 });
    // Not what the library below said of it, with all that it had sent.
    expect(told.at(-1)).toMatchObject({ message: "it is away" });
    fault = null;
    expect((await send({ validator_index: "7" })).status).toBe(202);
  });

  test("has no exit sent before the devnet is ready", async () => {
    const closed = new ExitDesk({
      pubkeys: PUBKEYS,
      reserved: new Set(),
      accountOf: () => 0,
      send: async () => {},
      onEvent: () => {},
    });
    expect(closed.ask({ index: 1 })).toMatchObject({ status: "refused", httpStatus: 503, code: "NOT_READY" });
  });
});

describe("devnet page: strangers", () => {
  test.each(["/", "/devnet/v1/events", "/page/style.css", "/devnet/v1/nodes/node-0/peers"])(
    "another name for this address (DNS rebinding) gets nothing of %s",
    async (path) => {
      const { port } = new URL(page.url);
      expect(await ask(path, { host: `evil.example:${port}` })).toMatchObject({
        status: 403,
        body: expect.stringContaining("FORBIDDEN_HOST"),
      });
    },
  );

  test("another site's script is refused, whatever it sends", async () => {
    const body = '{"validator_index":"7"}';
    for (const headers of [
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      // Another server of this machine.
      { origin: "http://127.0.0.1:1" },
    ]) {
      const answer = await ask("/devnet/v1/exits", { ...JSON_TYPE, ...headers } as Record<string, string>, body);
      expect(answer).toMatchObject({ status: 403, body: expect.stringContaining("FORBIDDEN_ORIGIN") });
    }
    expect(sent).toEqual([]);
    const own = { ...JSON_TYPE, origin: page.url.slice(0, -1), "sec-fetch-site": "same-origin" };
    expect((await ask("/devnet/v1/exits", own, body)).status).toBe(202);
  });

  test("a link from elsewhere opens the page, and localhost is its name too", async () => {
    expect((await ask("/", { "sec-fetch-site": "cross-site" })).status).toBe(200);
    expect((await ask("/", { host: `localhost:${new URL(page.url).port}` })).status).toBe(200);
  });

  test("through a tunnel, which has a port of its own, the page opens and its form works", async () => {
    const own = {
      ...JSON_TYPE,
      host: "localhost:9000",
      origin: "http://localhost:9000",
      "sec-fetch-site": "same-origin",
    };
    expect((await ask("/", { host: "localhost:9000" })).status).toBe(200);
    expect((await ask("/devnet/v1/exits", own, '{"validator_index":"7"}')).status).toBe(202);
  });
});

describe("devnet page: the feed", () => {
  const verdict = (k: number): PageEvent => ({
    event: "verdict",
    topic: "triggered_exit",
    node: "node-0",
    source: "gossip",
    peerId: null,
    pubkey: null,
    messageIndex: null,
    result: "reject",
    code: "BAD_SNAPPY",
    elapsedMs: k,
  });

  /** Reads until `last` has come. */
  async function read(last: string, headers: Record<string, string> = {}): Promise<string[]> {
    const response = await fetch(`${page.url}devnet/v1/events`, { headers, signal: AbortSignal.timeout(10_000) });
    let all = "";
    for await (const chunk of response.body ?? []) {
      all += Buffer.from(chunk).toString();
      if (all.includes(last)) break;
    }
    return all.split("\n").filter((line) => line.startsWith("data: "));
  }

  test("who comes late is told what still counts, and the newest of the rest", async () => {
    const block = (slot: number): PageEvent => ({
      event: "block",
      node: "node-0",
      slot,
      blockRoot: "0x",
      optimistic: false,
    });
    for (let slot = 0; slot < 50; slot++) page.tell(block(slot), slot);
    for (let k = 0; k < 2.5 * MAX_RECENT_EVENTS; k++) page.tell(verdict(k), 1_000 + k);
    const lines = await read(`"elapsedMs":${2.5 * MAX_RECENT_EVENTS - 1}`);
    expect(lines[0]).toContain('{"event":"hello","isResumed":false}');
    expect(lines.filter((line) => line.includes('"block"'))).toEqual([expect.stringContaining('"slot":49')]);
    expect(lines.filter((line) => line.includes("BAD_SNAPPY"))).toHaveLength(MAX_RECENT_EVENTS);
  });

  test("who comes late is told when each epoch became final, and what each node says now", async () => {
    const finalized = (node: string, epoch: number): PageEvent => ({
      event: "finalized",
      node,
      epoch,
      blockRoot: "0x",
    });
    for (const epoch of [1, 2, 3]) {
      for (const node of ["node-0", "node-1"]) page.tell(finalized(node, epoch), epoch * 1_000);
    }
    page.tell(verdict(7), 4_000);
    const lines = await read('"elapsedMs":7');
    const told = lines
      .map((line) => JSON.parse(line.slice("data: ".length)))
      .filter(({ event }) => event === "finalized");
    expect(told.map(({ node, epoch, time }) => [node, epoch, time])).toEqual([
      ["node-0", 1, 1_000],
      ["node-0", 2, 2_000],
      ["node-0", 3, 3_000],
      ["node-1", 3, 3_000],
    ]);
  });

  test("who comes again is told what it has missed, and who was with another run everything", async () => {
    for (let k = 0; k < 5; k++) page.tell(verdict(k), k);
    const response = await fetch(`${page.url}devnet/v1/events`, { signal: AbortSignal.timeout(10_000) });
    let all = "";
    for await (const chunk of response.body ?? []) {
      all += Buffer.from(chunk).toString();
      if (all.includes('"elapsedMs":4')) break;
    }
    const [, id = ""] = /^id: (\S+)\.3$/m.exec(all) ?? [];
    const resumed = await read('"elapsedMs":4', { "last-event-id": `${id}.3` });
    expect(resumed).toHaveLength(3);
    expect(resumed[0]).toContain('"isResumed":true');
    expect(await read('"elapsedMs":4', { "last-event-id": "1.3" })).toHaveLength(6);
  });

  test("a node that does not answer, or that is none, is told of as that", async () => {
    expect(await ask("/devnet/v1/nodes/node-0/metrics")).toMatchObject({ status: 502 });
    expect(await ask("/devnet/v1/nodes/node-9/metrics")).toMatchObject({ status: 404 });
  });
});

test("devnet page: a port that is taken is a coded error", async () => {
  const { port } = new URL(page.url);
  await expect(
    startDevnetPage(Number(port), {
      clock: systemClock,
      nodes: () => [],
      strangers: () => new Map(),
      requestExit: (choice) => desk.ask(choice),
    }),
  ).rejects.toMatchObject({ code: "PAGE_NOT_SERVED" });
});
