import { connect } from "node:net";
import { Uint8ArrayList } from "uint8arraylist";
import { describe, expect, it } from "vitest";
import { isAnswer, watchNegotiation } from "../../../src/network/guard/negotiation.ts";
import { ACCEPT, startNode, until, untilMeshed } from "../nodes.ts";

/** What passes through to a stream behind what it has, and whether it was found bad. */
function follow(isAgreed: (line: string) => boolean, hex: readonly string[], had = "") {
  const passed: string[] = [];
  let bad = 0;
  class Stream {
    readonly readBuffer = new Uint8ArrayList(Buffer.from(had, "hex"));
    onData(data: Uint8Array): void {
      passed.push(Buffer.from(data).toString("hex"));
    }
  }
  const stream = new Stream();
  watchNegotiation(stream as never, isAgreed, () => void bad++);
  for (const part of hex) stream.onData(Buffer.from(part, "hex"));
  return { passed: passed.join(""), bad, isReleased: !Object.hasOwn(stream, "onData") };
}

const line = (text: string) => Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`).toString("hex");
const GREETING = line("/multistream/1.0.0");

describe("negotiation", () => {
  it("passes on, and is no longer looked at once agreed", () => {
    const parts = [GREETING + line("/other"), line("/noise"), "ffffffffffff"];
    expect(follow((text) => text === "/noise", parts)).toEqual({ passed: parts.join(""), bad: 0, isReleased: true });
  });
  it("is found wherever the stream is cut", () => {
    const bytes = (GREETING + line("na") + line("/yamux/1.0.0")).match(/../g) ?? [];
    expect(follow(isAnswer, bytes)).toEqual({ passed: bytes.join(""), bad: 0, isReleased: true });
  });
  it("may have come before it is looked at, whole or in part", () => {
    const bytes = GREETING + line("/mplex/6.7.0");
    const follows = ["0000"];
    const isMplex = (text: string) => text === "/mplex/6.7.0";
    expect(follow(isMplex, follows, bytes)).toEqual({ passed: "0000", bad: 0, isReleased: true });
    const parts = [bytes.slice(50), ...follows];
    expect(follow(isMplex, parts, bytes.slice(0, 50))).toEqual({ passed: parts.join(""), bad: 0, isReleased: true });
    expect(follow(isMplex, [], "ffffff").bad).toBe(1);
  });
  it.each([
    ["a length without end", ["ffff", "ff"]],
    ["a length above 1 KiB", ["8110"]],
    ["an empty line", ["00"]],
    ["too many lines", Array.from({ length: 40 }, () => line("/a"))],
    ["a length without end in the answer to identify", [GREETING + line("/ipfs/id/1.0.0"), "ffffff"]],
  ])("ends at %s", (_, parts) => {
    const isAgreed = parts[0]?.startsWith(GREETING) ? isAnswer : () => false;
    expect(follow(isAgreed, parts).bad).toBeGreaterThan(0);
  });

  it("ends with a TCP connection that never ends a length, before it costs anything, and others are served", async () => {
    const node = await startNode({ handler: ACCEPT });
    const [, , host = "", , port = ""] = node.network.multiaddrs()[0]?.split("/") ?? [];
    const before = process.cpuUsage();
    let closed = 0;
    for (let i = 0; i < 20; i++) {
      const socket = connect(Number(port), host, () => socket.write(new Uint8Array(65_536).fill(0xff)));
      socket.on("error", () => {}).on("close", () => closed++);
    }
    await until("all are closed", () => closed === 20);
    // 145 ms each without the guard: 2.9 s.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
    const other = await startNode({ handler: ACCEPT, bootnodes: [node] });
    await untilMeshed([node, other]);
  });
});
