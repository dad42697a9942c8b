/** Two libp2p nodes on loopback, each on a stack of its own, and streams between them. */
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { createLibp2p } from "libp2p";
import type { Bytes } from "../../../src/network/transport/bytes.ts";
import { gatherWrites } from "../../../src/network/transport/gathered_stream.ts";
import type { TransportStack } from "../../../src/network/transport/stack.ts";
import { createTurn } from "../../../src/network/transport/turn.ts";
import { stopAfterTest } from "../nodes.ts";

const PROTOCOL = "/test/1.0.0";

export interface Pair {
  /** Opened by the first node, its writes gathered. */
  readonly writer: Stream;
  /** The other end, as the second node has it. */
  readonly reader: Stream;
  readonly connection: Connection;
}

async function startNode(stack: TransportStack): Promise<Libp2p> {
  return stopAfterTest(
    await createLibp2p({
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [stack.transport({})],
      connectionEncrypters: [stack.encrypter()],
      streamMuxers: [stack.muxer({})],
    }),
  );
}

/** The stack, and what its muxer sends told before it goes. */
export function watchMuxer(stack: TransportStack, onSend: (data: Bytes) => void): TransportStack {
  const muxer: TransportStack["muxer"] = (options) => () => {
    const factory = stack.muxer(options)();
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        const send = connection.send.bind(connection);
        connection.send = (data) => {
          onSend(data);
          return send(data);
        };
        return factory.createStreamMuxer(connection);
      },
    };
  };
  return { ...stack, muxer };
}

export async function connectPair(first: TransportStack, second: TransportStack): Promise<Pair> {
  const [dialer, listener] = await Promise.all([startNode(first), startNode(second)]);
  const incoming = Promise.withResolvers<Stream>();
  await listener.handle(PROTOCOL, (stream) => incoming.resolve(stream));
  const connection = await dialer.dial(listener.getMultiaddrs());
  const writer = gatherWrites(await connection.newStream(PROTOCOL), createTurn());
  return { writer, reader: await incoming.promise, connection };
}

/** Collects what a stream gives, until it ends. */
export function collect(stream: Stream): { bytes(): Buffer; readonly ended: Promise<void> } {
  const parts: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  stream.addEventListener("message", ({ data }) => void parts.push(Uint8Array.from(data.subarray())));
  stream.addEventListener("remoteCloseWrite", () => ended.resolve());
  stream.addEventListener("close", () => ended.resolve());
  return { bytes: () => Buffer.concat(parts), ended: ended.promise };
}
