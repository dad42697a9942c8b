import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { getClient } from "@lodestar/api";
import { createChainForkConfig, defaultChainConfig } from "@lodestar/config";
import { toHex } from "@lodestar/utils";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_SUBMITTED_EXITS } from "../../src/api/beacon_routes.ts";
import { createMetrics, type Metrics } from "../../src/api/metrics.ts";
import { type ApiServer, MAX_BODY_BYTES, startApiServer } from "../../src/api/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { CodedError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { BLOCK_ROOT, STATE_ROOT, TestBackend, triggeredExit } from "./backend.ts";

const POOL = "/eth/v1/beacon/pool/triggered_exits";
const HEAD_STATE = "/eth/v1/beacon/states/head";

let backend: TestBackend;
let metrics: Metrics;
let server: ApiServer;

function start(port: number, host?: string): Promise<ApiServer> {
  const deps = { backend, metrics, logger: silentLogger, clock: systemClock };
  return startApiServer({ port, version: "msgbus/test", ...(host !== undefined && { host }) }, deps);
}

beforeEach(async () => {
  backend = new TestBackend();
  metrics = createMetrics();
  server = await start(0);
});

afterEach(() => server.stop());

async function answerOf(response: Response): Promise<{ status: number; body: unknown }> {
  const body = await response.text();
  return { status: response.status, body: body === "" ? null : JSON.parse(body) };
}

async function get(path: string) {
  return answerOf(await fetch(server.url + path));
}

async function post(body: unknown, contentType = "application/json") {
  const init = { method: "POST", headers: { "content-type": contentType } };
  return answerOf(
    await fetch(server.url + POOL, { ...init, body: typeof body === "string" ? body : JSON.stringify(body) }),
  );
}

const exitJson = (seed: number) => TriggeredExit.toJson(triggeredExit(seed)) as unknown as ExitJson;

interface ExitJson {
  message_bus_signal: { proof: unknown; message_sender?: unknown; message_index: unknown };
  data: { pubkey: unknown };
}

describe("a Beacon API client of another project", () => {
  const client = () => getClient({ baseUrl: server.url }, { config: createChainForkConfig(defaultChainConfig) });

  test("api: Lodestar's client reads the node's identity, version, syncing, peers and health", async () => {
    backend.peers = [
      {
        peerId: "16Uiu2",
        lastSeenAddress: "/ip4/127.0.0.1/tcp/1",
        direction: "inbound",
        state: "connected",
        agent: "msgbus/0.1.0",
        score: -1.5,
        meshTopics: [],
        guard: { frames: 3 },
      },
    ];
    const { node } = client();
    expect((await node.getNetworkIdentity()).value()).toMatchObject({
      peerId: "12D3KooWTest",
      metadata: { seqNumber: 1n },
    });
    expect((await node.getNodeVersion()).value()).toEqual({ version: "msgbus/test" });
    expect((await node.getSyncingStatus()).value()).toEqual(backend.syncing);
    const peers = await node.getPeers({});
    expect(peers.value()).toMatchObject([{ peerId: "16Uiu2", direction: "inbound", state: "connected" }]);
    expect(peers.meta()).toEqual({ count: 1 });
    expect((await node.getHealth()).status).toBe(200);
  });

  test("api: Lodestar's client reads genesis, a header, the checkpoints and a validator", async () => {
    const { beacon } = client();
    expect((await beacon.getGenesis()).value().genesisTime).toBe(1_700_000_000);
    const header = await beacon.getBlockHeader({ blockId: "head" });
    expect(header.value()).toMatchObject({ root: BLOCK_ROOT, canonical: true });
    expect(header.meta()).toEqual({ executionOptimistic: false, finalized: false });
    const checkpoints = (await beacon.getStateFinalityCheckpoints({ stateId: "head" })).value();
    expect(checkpoints.currentJustified).toEqual({ epoch: 4, root: BLOCK_ROOT });
    const validator = (await beacon.getStateValidator({ stateId: "head", validatorId: 1 })).value();
    expect(validator).toMatchObject({ index: 1, balance: 32_000_000_001, status: "active_exiting" });
  });
});

describe("node routes", () => {
  test("health: 206 while syncing, or the status that was asked for", async () => {
    backend.syncing = { headSlot: 1, syncDistance: 9, isSyncing: true, isOptimistic: false, elOffline: false };
    expect((await get("/eth/v1/node/health")).status).toBe(206);
    expect((await get("/eth/v1/node/health?syncing_status=299")).status).toBe(299);
    expect((await get("/eth/v1/node/health?syncing_status=9")).status).toBe(400);
  });

  test("health: 206 while the execution client is away", async () => {
    backend.syncing = { headSlot: 1, syncDistance: 0, isSyncing: false, isOptimistic: false, elOffline: true };
    expect((await get("/eth/v1/node/health")).status).toBe(206);
  });

  test("health: 503 without a chain, and so does syncing", async () => {
    backend.syncing = null;
    expect((await get("/eth/v1/node/health")).status).toBe(503);
    expect(await get("/eth/v1/node/syncing")).toMatchObject({ status: 503, body: { code: 503 } });
  });

  test("peers: filtered by state and direction, in either form of a list", async () => {
    const peer = (peerId: string, direction: "inbound" | "outbound") =>
      ({
        peerId,
        direction,
        lastSeenAddress: "/ip4/127.0.0.1/tcp/1",
        state: "connected",
        agent: null,
        score: 2,
        meshTopics: ["/eth2/aabbccdd/triggered_exit/ssz_snappy"],
        guard: { frames: 3 },
      }) as const;
    backend.peers = [peer("a", "inbound"), peer("b", "outbound")];
    const ids = async (query: string) =>
      ((await get(`/eth/v1/node/peers${query}`)).body as { data: { peer_id: string }[] }).data.map((p) => p.peer_id);
    expect(await ids("")).toEqual(["a", "b"]);
    expect(await get("/eth/v1/node/peers?direction=outbound")).toMatchObject({
      body: {
        data: [
          {
            peer_id: "b",
            agent: null,
            score: 2,
            mesh: [expect.stringContaining("triggered_exit")],
            guard: { frames: 3 },
          },
        ],
      },
    });
    expect(await ids("?direction=inbound&state=connected")).toEqual(["a"]);
    expect(await ids("?direction=inbound,outbound")).toEqual(["a", "b"]);
    expect(await ids("?state=disconnected&state=connecting")).toEqual([]);
    expect(await get("/eth/v1/node/peers?state=happy")).toMatchObject({ status: 400 });
  });
});

describe("beacon routes", () => {
  test("genesis: 404 before it is known", async () => {
    backend.genesisKnown = false;
    expect(await get("/eth/v1/beacon/genesis")).toMatchObject({ status: 404, body: { code: 404 } });
  });

  test.each(["head", "40", toHex(BLOCK_ROOT)])("headers: answers block id %s", async (id) => {
    expect(await get(`/eth/v1/beacon/headers/${id}`)).toMatchObject({
      status: 200,
      body: {
        execution_optimistic: false,
        finalized: false,
        data: { root: toHex(BLOCK_ROOT), header: { message: { slot: "40" } } },
      },
    });
  });

  test.each(["genesis", "41", "18446744073709551615", toHex(STATE_ROOT)])(
    "headers: 404 for the unknown %s",
    async (id) => {
      expect(await get(`/eth/v1/beacon/headers/${id}`)).toMatchObject({ status: 404, body: { code: 404 } });
    },
  );

  test.each(["tail", "-1", "1.5", "0x", "0x1234", `${toHex(BLOCK_ROOT)}00`, `0x${"zz".repeat(32)}`, "%00"])(
    "headers and states: 400 for the malformed %s",
    async (id) => {
      expect(await get(`/eth/v1/beacon/headers/${id}`)).toMatchObject({ status: 400, body: { code: 400 } });
      expect(await get(`/eth/v1/beacon/states/${id}/finality_checkpoints`)).toMatchObject({ status: 400 });
    },
  );

  test("validators: found by index and by pubkey, epochs that never come as the greatest uint64", async () => {
    const answer = {
      status: 200,
      body: {
        data: {
          index: "0",
          balance: "32000000001",
          status: "active_ongoing",
          validator: { exit_epoch: "18446744073709551615" },
        },
      },
    };
    expect(await get(`${HEAD_STATE}/validators/0`)).toMatchObject(answer);
    expect(await get(`${HEAD_STATE}/validators/0x${"01".repeat(48)}`)).toMatchObject(answer);
    expect(await get(`/eth/v1/beacon/states/${toHex(STATE_ROOT)}/validators/0`)).toMatchObject(answer);
  });

  test("validators: 404 for an unknown validator and an unknown state, 400 for a malformed id", async () => {
    expect(await get(`${HEAD_STATE}/validators/2`)).toMatchObject({
      status: 404,
      body: { message: "Validator not found: 2" },
    });
    expect((await get(`${HEAD_STATE}/validators/0x${"09".repeat(48)}`)).status).toBe(404);
    expect(await get("/eth/v1/beacon/states/7/validators/0")).toMatchObject({
      status: 404,
      body: { message: "State not found: 7" },
    });
    expect((await get(`${HEAD_STATE}/validators/0x0101`)).status).toBe(400);
    expect((await get(`${HEAD_STATE}/validators/two`)).status).toBe(400);
  });

  test("pool: lists what it holds", async () => {
    backend.pool.push(triggeredExit(1));
    expect(await get(POOL)).toEqual({ status: 200, body: { data: [exitJson(1)] } });
  });

  test("pool: lists none, and more than one part of the answer holds, in the Beacon API's form", async () => {
    expect(await get(POOL)).toEqual({ status: 200, body: { data: [] } });
    const random = seededRandom(1);
    for (let i = 0; i < 200; i++) {
      backend.pool.push(TriggeredExit.deserialize(random.bytes(TRIGGERED_EXIT_SIZE_BYTES)));
    }
    const { body } = await get(POOL);
    const lowerCase = JSON.stringify({ data: backend.pool.map((exit) => TriggeredExit.toJson(exit)) }).toLowerCase();
    expect(body).toEqual(JSON.parse(lowerCase));
  });

  test("pool: a full one is listed while other things go on", async () => {
    const exit = triggeredExit(1);
    for (let i = 0; i < 4_000; i++) backend.pool.push(exit);
    const answer = get(POOL);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    expect(((await answer).body as { data: unknown[] }).data).toHaveLength(4_000);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });
});

describe("submitting triggered exits", () => {
  test("submit: takes one, or a list", async () => {
    expect(await post(exitJson(1))).toEqual({
      status: 200,
      body: { data: [{ status: "published", recipients: "3" }] },
    });
    expect((await post([exitJson(2), exitJson(3)])).status).toBe(200);
    expect(backend.pool).toEqual([triggeredExit(1), triggeredExit(2), triggeredExit(3)]);
  });

  test("submit: the same exit again is no failure", async () => {
    await post(exitJson(1));
    expect(await post(exitJson(1))).toEqual({ status: 200, body: { data: [{ status: "known" }] } });
  });

  test("submit: 202 where an exit waits for its root, 400 where another is refused", async () => {
    backend.deferred.add(2);
    const data = [{ status: "published", recipients: "3" }, { status: "deferred" }];
    expect(await post([exitJson(1), exitJson(2)])).toEqual({ status: 202, body: { data } });
    backend.refused.set(3, "WRONG_SENDER");
    expect((await post([exitJson(2), exitJson(3)])).status).toBe(400);
  });

  test("submit: names each bad item and publishes the good ones", async () => {
    backend.refused.set(2, "WRONG_SENDER");
    const answer = await post([exitJson(1), exitJson(2), { data: {} }, exitJson(3)]);
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 400,
        message: "2 of 4 triggered exits refused, the other 2 accepted",
        failures: [
          { index: 1, reason: "WRONG_SENDER", message: expect.stringContaining("WRONG_SENDER: message_sender is not") },
          { index: 2, reason: "MALFORMED", message: expect.stringContaining("message_bus_signal") },
        ],
      },
    });
    expect(backend.pool).toEqual([triggeredExit(1), triggeredExit(3)]);
  });

  test.each<[string, (exit: ExitJson) => void]>([
    [
      "message_bus_signal.proof",
      (exit) => {
        exit.message_bus_signal.proof = [];
      },
    ],
    [
      "message_bus_signal.proof.3",
      (exit) => {
        (exit.message_bus_signal.proof as string[])[3] = "0x12";
      },
    ],
    [
      "message_bus_signal.message_sender",
      (exit) => {
        exit.message_bus_signal.message_sender = `0x${"11".repeat(21)}`;
      },
    ],
    [
      "message_bus_signal.message_sender",
      (exit) => {
        delete exit.message_bus_signal.message_sender;
      },
    ],
    [
      "message_bus_signal.message_index",
      (exit) => {
        exit.message_bus_signal.message_index = 1;
      },
    ],
    [
      "message_bus_signal.message_index",
      (exit) => {
        exit.message_bus_signal.message_index = "-1";
      },
    ],
    [
      "message_bus_signal.message_index",
      (exit) => {
        exit.message_bus_signal.message_index = "0x10";
      },
    ],
    [
      "message_bus_signal.message_index",
      (exit) => {
        exit.message_bus_signal.message_index = "18446744073709551616";
      },
    ],
    [
      "data.pubkey",
      (exit) => {
        exit.data.pubkey = `0x${"zz".repeat(48)}`;
      },
    ],
    [
      "data.pubkey",
      (exit) => {
        exit.data.pubkey = null;
      },
    ],
  ])("submit: a malformed %s is named", async (path, spoil) => {
    const exit = exitJson(1);
    spoil(exit);
    expect(await post(exit)).toMatchObject({
      status: 400,
      body: { failures: [{ index: 0, reason: "MALFORMED", message: expect.stringContaining(`MALFORMED: ${path}: `) }] },
    });
    expect(backend.pool).toEqual([]);
  });

  test("submit: the greatest uint64 is well formed", async () => {
    const exit = exitJson(1);
    exit.message_bus_signal.message_index = "18446744073709551615";
    expect((await post(exit)).status).toBe(200);
    expect(backend.pool[0]?.messageBusSignal.messageIndex).toBe(2n ** 64n - 1n);
  });

  test.each([
    ["not json", "{"],
    ["nothing", ""],
    ["a number", "7"],
    ["null", "null"],
    ["an empty list", "[]"],
    ["a prototype", '{"__proto__": 1}'],
  ])("submit: 400 for %s", async (_name, body) => {
    expect(await post(body)).toMatchObject({ status: 400, body: { code: 400 } });
  });

  test("submit: 400 for more items than one request may hold", async () => {
    expect((await post(Array(MAX_SUBMITTED_EXITS).fill(exitJson(1)))).status).toBe(200);
    expect(await post(Array(MAX_SUBMITTED_EXITS + 1).fill(exitJson(1)))).toMatchObject({ status: 400 });
  });

  test("submit: 413 for a body beyond the limit, 415 for anything but JSON", async () => {
    expect(await post(`"${"x".repeat(MAX_BODY_BYTES)}"`)).toMatchObject({ status: 413, body: { code: 413 } });
    expect(await post(exitJson(1), "text/plain")).toMatchObject({ status: 415, body: { code: 415 } });
    expect(backend.pool).toEqual([]);
  });

  test("submit: 503 while syncing", async () => {
    backend.syncing = null;
    expect(await post(exitJson(1))).toMatchObject({ status: 503 });
    backend.syncing = { headSlot: 1, syncDistance: 9, isSyncing: true, isOptimistic: false, elOffline: false };
    expect(await post(exitJson(1))).toMatchObject({ status: 503, body: { code: 503 } });
    expect(backend.pool).toEqual([]);
  });
});

describe("the server", () => {
  test("server: an unknown route and an unknown method are 404", async () => {
    expect(await get("/eth/v1/beacon")).toMatchObject({ status: 404, body: { code: 404 } });
    expect((await fetch(server.url + POOL, { method: "DELETE" })).status).toBe(404);
  });

  test("server: a bug is 500 without a word of its own", async () => {
    backend.fault = new Error("secret detail");
    const answer = await get("/eth/v1/beacon/headers/head");
    expect(answer).toMatchObject({
      status: 500,
      body: { code: 500, message: expect.stringContaining("INTERNAL_ERROR") },
    });
    expect(JSON.stringify(answer.body)).not.toMatch(/secret|\.ts/);
  });

  test("server: a coded error keeps its code", async () => {
    backend.fault = new CodedError("EL_UNAVAILABLE", "The execution client is away");
    expect(await get("/eth/v1/beacon/headers/head")).toMatchObject({
      status: 500,
      body: { code: 500, message: "EL_UNAVAILABLE: The execution client is away" },
    });
  });

  test("server: a busy port and a foreign address are named", async () => {
    await expect(start(server.port)).rejects.toMatchObject({ code: "ADDRESS_IN_USE", fields: { port: server.port } });
    await expect(start(0, "203.0.113.1")).rejects.toMatchObject({ code: "ADDRESS_NOT_AVAILABLE" });
    expect(backend.listenerCount).toBe(1);
  });

  test("server: stop frees the port and ends what is open", async () => {
    const stream = await fetch(`${server.url}/eth/v1/events?topics=head`);
    const idle = connect(server.port, "127.0.0.1");
    await once(idle, "connect");
    await server.stop();
    await text(stream.body as never);
    idle.resume();
    if (!idle.closed) await once(idle, "close");
    server = await start(server.port);
    expect(backend.listenerCount).toBe(1);
  });

  test("metrics: served as Prometheus text", async () => {
    metrics.setHeadSlot(40);
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toContain("msgbus_head_slot 40\n");
  });
});
