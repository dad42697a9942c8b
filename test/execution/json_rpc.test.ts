import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { JsonRpc } from "../../src/execution/json_rpc.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A bad execution client: real HTTP, answers of our choice. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

function answerWith(body: string, status = 200): RequestListener {
  return (_request, response) => response.writeHead(status, { "content-type": "application/json" }).end(body);
}

/** Counts what the client says of the execution client's coming and going. */
function connect(url: string, timeoutMs = 300) {
  const changes: string[] = [];
  const onAvailability = (available: boolean, reason: string) => changes.push(available ? "back" : reason);
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const rpc = new JsonRpc({ url, timeoutMs }, { clock, log: silentLogger, onAvailability });
  return { rpc, changes, advance: (ms: number) => (nowMs += ms) };
}

const chainId = (rpc: JsonRpc) => rpc.request("read", "eth_chainId", [], z.string());

describe("json-rpc", () => {
  test.each([
    ["an HTML page", answerWith("<html>"), "makes no sense|JSON|HTML|html"],
    ["an empty body", answerWith(""), "."],
    ["null", answerWith("null"), "."],
    ["a list", answerWith("[]"), "makes no sense"],
    ["a result of another type", answerWith('{"jsonrpc":"2.0","id":1,"result":{"a":1}}'), "makes no sense"],
    ["an HTTP failure", answerWith("bad gateway", 502), "."],
    ["a connection closed at once", ((request) => request.socket.destroy()) as RequestListener, "."],
    ["silence", (() => {}) as RequestListener, "did not answer in time"],
  ])("%s is an unavailable execution client", async (_name, listener, words) => {
    const { rpc, changes } = connect(await serve(listener));
    await expect(chainId(rpc)).rejects.toMatchObject({ code: "EL_UNAVAILABLE", message: expect.stringMatching(words) });
    expect(rpc.isAvailable).toBe(false);
    expect(changes).toHaveLength(1);
  });

  test("nobody listening is named with the URL and what to do", async () => {
    const url = await serve(answerWith(""));
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const { rpc } = connect(url);
    await expect(chainId(rpc)).rejects.toThrow(
      /^The execution client at http:\S+ is not available: .*ECONNREFUSED.*\. Check that it runs/,
    );
  });

  test("a refusal is an answer: the execution client is not away", async () => {
    const body = '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"unknown block"}}';
    const { rpc, changes } = connect(await serve(answerWith(body)));
    await expect(chainId(rpc)).rejects.toMatchObject({
      code: "EL_REFUSED",
      fields: { rpcCode: -32000, reason: "unknown block" },
    });
    expect(changes).toEqual([]);
  });

  test("an answer that is too large is not read, and the execution client is not away", async () => {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    const { rpc, changes } = connect(
      await serve((_request, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        let left = 40;
        const write = () => {
          while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", write);
          response.end();
        };
        write();
      }),
      10_000,
    );
    await expect(chainId(rpc)).rejects.toMatchObject({ code: "EL_ANSWER_TOO_LARGE" });
    expect(changes).toEqual([]);
  });

  test("a read survives a dropped connection, a write is sent once", async () => {
    let calls = 0;
    const listener: RequestListener = (request, response) => {
      calls += 1;
      if (calls % 2 === 1) request.socket.destroy();
      else answerWith('{"jsonrpc":"2.0","id":1,"result":"0x1"}')(request, response);
    };
    const { rpc, changes } = connect(await serve(listener));
    expect(await chainId(rpc)).toBe("0x1");
    expect(calls).toBe(2);
    await expect(rpc.request("write", "evm_mine", [], z.unknown())).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    expect(calls).toBe(3);
    expect(changes).toHaveLength(1);
  });

  test("loss and return are told once each, and calls fail at once in between", async () => {
    let broken = true;
    let calls = 0;
    const url = await serve((request, response) => {
      calls += 1;
      answerWith(broken ? "no" : '{"jsonrpc":"2.0","id":1,"result":"0x1"}')(request, response);
    });
    const { rpc, changes, advance } = connect(url);
    await expect(rpc.request("write", "evm_mine", [], z.unknown())).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    const callsUntilLoss = calls;
    for (let i = 0; i < 5; i++) await expect(chainId(rpc)).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    expect(calls).toBe(callsUntilLoss);
    advance(10_000);
    await expect(chainId(rpc)).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    expect(calls).toBe(callsUntilLoss + 1);
    broken = false;
    advance(10_000);
    expect(await chainId(rpc)).toBe("0x1");
    expect(changes).toHaveLength(2);
    expect(changes.at(-1)).toBe("back");
  });

  test("good answers and nonsense in turn are told of twice a minute, and a loss that stays is told of", async () => {
    let calls = 0;
    let isGone = false;
    const url = await serve((request, response) => {
      calls += 1;
      answerWith(isGone || calls % 2 === 1 ? "no" : '{"jsonrpc":"2.0","id":1,"result":"0x1"}')(request, response);
    });
    const { rpc, changes, advance } = connect(url);
    const write = () => rpc.request("write", "evm_mine", [], z.unknown());
    for (let second = 0; second < 60; second += 2) {
      await expect(write()).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
      advance(2_000);
      await write();
    }
    expect(changes.map((change) => change === "back")).toEqual([false, true, false, true]);
    isGone = true;
    for (let i = 0; i < 20; i++) {
      advance(2_000);
      await expect(write()).rejects.toMatchObject({ code: "EL_UNAVAILABLE" });
    }
    expect(changes.map((change) => change === "back")).toEqual([false, true, false, true, false]);
    expect(rpc.isAvailable).toBe(false);
  });
});
