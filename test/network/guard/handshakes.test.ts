import { connect, type Socket } from "node:net";
import type { MultiaddrConnection, PeerId } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { FAILED_BURST, LINGER_MS, MAX_HANDSHAKES, watchHandshakes } from "../../../src/network/guard/handshakes.ts";
import { ACCEPT, startNode, stopAfterTest, type TestNode, until } from "../nodes.ts";
import { startRawPeer } from "../raw_peer.ts";

/** A gater that denies nothing by itself, on a clock that the test moves. */
function setUp() {
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => {}, every: () => () => {} };
  const refused: string[] = [];
  const gater = watchHandshakes({}, { guard: { refuseAddress: (ip) => void refused.push(ip) }, clock });
  const passTime = (ms: number) => {
    nowMs += ms;
  };
  class Connection extends EventTarget {
    readonly remoteAddr;
    isOpen = true;
    constructor(ip: string) {
      super();
      this.remoteAddr = multiaddr(`/${ip.includes(":") ? "ip6" : "ip4"}/${ip}/tcp/9000`);
    }
    abort(): void {
      this.isOpen = false;
      this.dispatchEvent(new Event("close"));
    }
  }
  /** Null: refused. */
  function dial(ip: string): Connection | null {
    const connection = new Connection(ip);
    return gater.denyInboundConnection?.(connection as unknown as MultiaddrConnection) === true ? null : connection;
  }
  function finish(connection: Connection | null): void {
    gater.denyInboundUpgradedConnection?.({} as PeerId, connection as unknown as MultiaddrConnection);
  }
  return { dial, finish, passTime, refused };
}

describe("handshakes", () => {
  it("are bounded in number, and the newest is refused while none lingers", () => {
    const { dial } = setUp();
    const first = Array.from({ length: MAX_HANDSHAKES }, () => dial("203.0.113.7"));
    expect(dial("203.0.113.7")).toBeNull();
    expect(first.every((connection) => connection?.isOpen)).toBe(true);
  });
  it("give way when they linger, the oldest first", () => {
    const { dial, passTime } = setUp();
    const first = Array.from({ length: MAX_HANDSHAKES }, () => dial("203.0.113.7"));
    passTime(LINGER_MS + 1);
    expect(dial("203.0.113.7")?.isOpen).toBe(true);
    expect(first.map((connection) => connection?.isOpen)).toEqual([false, ...Array(MAX_HANDSHAKES - 1).fill(true)]);
  });
  it("are shared out: another address gets its half at once, and no more", () => {
    const { dial } = setUp();
    for (let i = 0; i < MAX_HANDSHAKES; i++) dial("203.0.113.7");
    const others = Array.from({ length: MAX_HANDSHAKES }, () => dial("198.51.100.7"));
    expect(others.filter((connection) => connection?.isOpen).length).toBe(MAX_HANDSHAKES / 2);
  });
  it("have their address refused when too many fail, whatever the address in its /64", () => {
    const { dial, refused } = setUp();
    for (let i = 0; i <= FAILED_BURST; i++) dial(`2001:db8::${i.toString(16)}`)?.abort();
    expect(refused).toEqual([`2001:db8::${FAILED_BURST.toString(16)}`]);
  });
  it("cost nothing when they succeed, or fail now and then", () => {
    const { dial, finish, passTime, refused } = setUp();
    for (let i = 0; i < 4 * FAILED_BURST; i++) {
      const connection = dial("203.0.113.7");
      finish(connection);
      connection?.abort();
      dial("203.0.113.7")?.abort();
      passTime(1000);
    }
    expect(refused).toEqual([]);
  });
});

describe("half-open connections", () => {
  async function holdOpen(node: TestNode): Promise<Socket[]> {
    const port = Number(node.network.multiaddrs()[0]?.split("/")[4]);
    const sockets = Array.from({ length: MAX_HANDSHAKES }, () => connect(port, "127.0.0.1"));
    stopAfterTest({ stop: () => sockets.map((socket) => socket.destroy()) });
    // The node answers whom it has let in.
    const greeted = new Set<Socket>();
    for (const socket of sockets) {
      socket.on("error", () => {}).on("data", () => greeted.add(socket));
      socket.write("\x13/multistream/1.0.0\n");
    }
    await until("all are let in", () => greeted.size === MAX_HANDSHAKES);
    return sockets;
  }

  it("that hold every place keep no peer out, although all come from loopback", async () => {
    let skippedMs = 0;
    const monotonicMs = () => systemClock.monotonicMs() + skippedMs;
    const node = await startNode({ handler: ACCEPT, clock: { ...systemClock, monotonicMs } });
    const sockets = await holdOpen(node);
    const peer = await startRawPeer();
    skippedMs = LINGER_MS;
    const connection = await peer.connect(node);
    expect(connection.status).toBe("open");
    await until("one has given way", () => sockets.some(({ closed }) => closed));
    expect(sockets.filter(({ closed }) => closed).length).toBe(1);
  });
});
