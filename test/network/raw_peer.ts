/**
 * A peer that speaks gossipsub's wire format by hand: connects, is identified, announces topics, sends whatever RPC it
 * is told to, and keeps what it receives.
 */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream, StreamMuxerFactory } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { createByteReader } from "../../src/network/reqresp/byte_reader.ts";
import { EXIT_TOPIC, stopAfterTest, type TestNode, until } from "./nodes.ts";

const MESHSUB = "/meshsub/1.1.0";

/** A frame as it crosses the wire: its length, and an RPC. */
export function encodeFrame(rpc: Partial<RPC>): Uint8Array {
  const body = RPC.encode({ subscriptions: [], messages: [], ...rpc });
  return Buffer.concat([varint(body.length), body]);
}

/** An RPC of one kind of control message. */
export function controlRpc(control: Partial<RPC.ControlMessage>): Partial<RPC> {
  return { control: { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...control } };
}

export interface RawPeer {
  readonly libp2p: Libp2p;
  readonly peerId: string;
  /** Messages received, in order. */
  readonly messages: RPC.Message[];
  /** Likewise, what they came in, and what it says beside them. */
  readonly rpcs: { readonly sizeBytes: number; readonly rpc: RPC }[];
  /** The streams that the other side opened to us. */
  readonly inbound: Stream[];
  send(rpc: Partial<RPC>): void;
  sendBytes(frame: Uint8Array): void;
  /** Connected, with a stream each way, to be asked by IWANT. */
  connect(node: { readonly network: Pick<TestNode["network"], "multiaddrs"> }): Promise<Connection>;
}

/** Announces `topics`, so that nodes graft it on them; sends nothing else by itself. */
export async function startRawPeer(
  topics: readonly string[] = [EXIT_TOPIC],
  muxer: () => StreamMuxerFactory = yamux(),
): Promise<RawPeer> {
  const libp2p = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    services: { identify: identify() },
  });
  stopAfterTest(libp2p);
  const messages: RPC.Message[] = [];
  const rpcs: { sizeBytes: number; rpc: RPC }[] = [];
  const inbound: Stream[] = [];
  let outbound: Stream | null = null;
  await libp2p.handle(MESHSUB, (stream) => {
    inbound.push(stream);
    readFrames(stream, (sizeBytes, rpc) => {
      messages.push(...rpc.messages);
      rpcs.push({ sizeBytes, rpc });
    }).catch(() => {});
  });
  const sendBytes = (frame: Uint8Array) => {
    if (outbound === null) throw new Error("not connected");
    outbound.send(frame);
  };
  const send = (rpc: Partial<RPC>) => sendBytes(encodeFrame(rpc));
  return {
    libp2p,
    peerId: libp2p.peerId.toString(),
    messages,
    rpcs,
    inbound,
    send,
    sendBytes,
    async connect(node) {
      const before = inbound.length;
      const [address = ""] = node.network.multiaddrs();
      const connection = await libp2p.dial(multiaddr(address));
      await until("the node opens its stream", () => inbound.length > before);
      outbound = await connection.newStream(MESHSUB);
      send({ subscriptions: topics.map((topic) => ({ topic, subscribe: true })) });
      return connection;
    },
  };
}

async function readFrames(stream: Stream, onRpc: (sizeBytes: number, rpc: RPC) => void): Promise<void> {
  const reader = createByteReader(stream);
  for (;;) {
    const length = await reader.readVarint(5);
    if (length === null) return;
    onRpc(length, RPC.decode(await reader.read(length)));
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return Uint8Array.from(bytes);
  }
}
