/** The libp2p node under the network: TCP, noise, yamux, and limits set on purpose. */
import type { GossipSub, GossipSubComponents } from "@chainsafe/libp2p-gossipsub";
import { bootstrap } from "@libp2p/bootstrap";
import { type Identify, identify } from "@libp2p/identify";
import type { Connection, Libp2p, PrivateKey, Stream, StreamMessageEvent } from "@libp2p/interface";
import { mplex } from "@libp2p/mplex";
import { type Ping, type PingComponents, ping } from "@libp2p/ping";
import { createLibp2p } from "libp2p";
import type { Clock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { type Bootnode, parseListenAddress } from "./addresses.ts";
import { createConnectionTap } from "./guard/connection_tap.ts";
import type { Guard } from "./guard/guard.ts";
import { MAX_HANDSHAKES, watchHandshakes } from "./guard/handshakes.ts";
import { watchEncrypted } from "./guard/negotiation.ts";
import type { TransportStack } from "./transport/stack.ts";

/**
 * Connections a second from one address, beyond which they are refused before any cryptography. The library's 5 breaks
 * every network that lives on one machine or behind one address; 64 lets 50 nodes there meet in a second.
 */
const INBOUND_CONNECTIONS_PER_SECOND = 64;
const MAX_PARALLEL_DIALS = 16;
const DIAL_TIMEOUT_MS = 5_000;
/** Silence after which a TCP connection is closed; pings every 30 s keep a live one from it. */
const SOCKET_INACTIVITY_TIMEOUT_MS = 60_000;
/** A peer on a busy machine may stall for seconds; the library's 5 s would cut it off. */
const PING_TIMEOUT_MS = 15_000;
/**
 * Streams that a peer may have open: gossip, identify, ping and each request twice are fewer than 20. Each may hold a
 * window of 256 KiB before anybody reads it.
 */
const MAX_INBOUND_STREAMS = 64;
/**
 * What a stream may be sent beyond what was read. The library doubles a window up to 16 MiB, and a node that stalled would
 * find thousands of an honest peer's frames at once: more than `LIMITS.frames` allows. 5 MiB/s still fit a round trip of 200 ms.
 */
const MAX_STREAM_WINDOW_BYTES = 1024 * 1024;
const PING_BYTES = 32;
/** The list's first dial; later ones are `peers.ts`'s. */
const BOOTSTRAP_DELAY_MS = 50;

export type Services = { identify: Identify; ping: Ping; pubsub: GossipSub };

export interface Libp2pOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly bootnodes: readonly Bootnode[];
  readonly maxPeers: number;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly version: string;
  readonly stack: TransportStack;
  readonly pingIntervalMs: number;
  readonly pubsub: (components: GossipSubComponents) => GossipSub;
}

/** A node that is not started yet. Throws `BAD_MULTIADDR`. */
export async function createLibp2pNode(options: Libp2pOptions): Promise<Libp2p<Services>> {
  const { bootnodes, guard, clock, version, stack } = options;
  const listen = options.listen.map((address) => parseListenAddress(address).toString());
  const list = bootnodes.map(({ address }) => address.toString());
  const inactivity = {
    inboundSocketInactivityTimeout: SOCKET_INACTIVITY_TIMEOUT_MS,
    outboundSocketInactivityTimeout: SOCKET_INACTIVITY_TIMEOUT_MS,
  };
  const tap = createConnectionTap(guard, () => libp2p.getProtocols());
  const libp2p: Libp2p<Services> = await createLibp2p<Services>({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { name: "msgbus", version, userAgent: `msgbus/${version}` },
    addresses: { listen },
    transports: [stack.transport(inactivity)],
    connectionEncrypters: [watchEncrypted(stack.encrypter())],
    // mplex because clients must speak it, for old peers that speak nothing else; it hangs up at 5 new streams a second itself.
    // @spec phase0/p2p-interface.md#multiplexing
    streamMuxers: [
      tap.follow(
        stack.muxer({
          maxInboundStreams: MAX_INBOUND_STREAMS,
          streamOptions: { maxStreamWindowSize: MAX_STREAM_WINDOW_BYTES },
        }),
      ),
      tap.follow(mplex()),
    ],
    connectionGater: watchHandshakes(tap.gater, { guard, clock }),
    peerDiscovery: list.length === 0 ? [] : [bootstrap({ list, timeout: BOOTSTRAP_DELAY_MS })],
    connectionManager: {
      maxConnections: options.maxPeers,
      maxParallelDials: MAX_PARALLEL_DIALS,
      dialTimeout: DIAL_TIMEOUT_MS,
      inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND,
      // Never reached: the guard keeps them to half of it, and chooses who goes (`guard/handshakes.ts`).
      maxIncomingPendingConnections: 2 * MAX_HANDSHAKES,
    },
    connectionMonitor: {
      pingInterval: options.pingIntervalMs,
      pingTimeout: { minTimeout: PING_TIMEOUT_MS, maxTimeout: 2 * PING_TIMEOUT_MS },
    },
    services: { identify: identify(), ping: countedPing(guard, clock), pubsub: options.pubsub },
  });
  return libp2p;
}

/**
 * The ping service, with its handler watched. Not by `libp2p.use`: libp2p 3.3 appends the handler to the registered middleware
 * with each stream that comes, runs it on our own streams as well, and so echoes echoes until the connection is aborted.
 */
function countedPing(guard: Guard, clock: Clock): (components: PingComponents) => Ping {
  return ({ connectionManager, registrar }) => {
    const watched: Pick<PingComponents["registrar"], "handle" | "unhandle"> = {
      handle: (protocol, handler, options) =>
        registrar.handle(
          protocol,
          (stream, connection) => {
            clock.after(0, () => countPings(stream, connection, guard));
            return handler(stream, connection);
          },
          options,
        ),
      unhandle: (protocol) => registrar.unhandle(protocol),
    };
    return ping()({ connectionManager, registrar: watched as PingComponents["registrar"] });
  };
}

/**
 * The ping service answers at any rate (CVE-2024-32984 in rust-libp2p). Called when it listens itself: a stream hands what
 * has come to its first listener alone.
 */
function countPings(stream: Stream, { remotePeer }: Connection, guard: Guard): void {
  const meter = guard.meter(remotePeer.toString());
  stream.addEventListener("message", (event: StreamMessageEvent) => {
    meter.spend("pings", event.data.byteLength / PING_BYTES);
  });
}

/** Throws a `CodedError`: `ADDRESS_IN_USE`, `ADDRESS_NOT_AVAILABLE`, `ADDRESS_FORBIDDEN`, or `LISTEN_FAILED`. */
export async function startLibp2p(libp2p: Libp2p, listen: readonly string[]): Promise<void> {
  try {
    await libp2p.start();
  } catch (error) {
    // A start that failed half-way has opened what must be closed again.
    await Promise.resolve(libp2p.stop()).catch(() => {});
    throw listenError(error, listen.join(", "));
  }
}

function listenError(error: unknown, addresses: string): CodedError {
  // libp2p wraps one sentence of the system an address, each with its stack, into one of its own.
  const [reason = errorMessage(error), systemCode] = /\b(E[A-Z]+):[^\n]*/.exec(errorMessage(error)) ?? [];
  const coded = (code: string, sentence: string) => new CodedError(code, sentence, { addresses }, error);
  switch (systemCode) {
    case "EADDRINUSE":
      return coded(
        "ADDRESS_IN_USE",
        `Another program listens on ${addresses}: stop it, or choose another port with --listen (port 0: any free one)`,
      );
    case "EADDRNOTAVAIL":
      return coded(
        "ADDRESS_NOT_AVAILABLE",
        `Cannot listen on ${addresses} (${reason}): give --listen an address of this machine, or /ip4/0.0.0.0/tcp/… for all it has`,
      );
    case "EACCES":
      return coded(
        "ADDRESS_FORBIDDEN",
        `May not listen on ${addresses} (${reason}): choose a port from 1024 with --listen`,
      );
    default:
      return coded("LISTEN_FAILED", `Cannot listen on ${addresses}: ${reason}`);
  }
}
