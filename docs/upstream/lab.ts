/** What the reproductions share: a stock node, a peer that speaks RPCs by hand, waiting, and the last line. */
import { type GossipSub, type GossipsubOpts, gossipsub, StrictNoSign } from "@chainsafe/libp2p-gossipsub";
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";

export const TOPIC = "topic";
const MESHSUB = "/meshsub/1.1.0";

/** Of the class that the factory makes, beyond the interface that it is said to make. */
interface Inner {
  readonly gossip: Map<string, RPC.ControlIHave[]>;
  readonly score: { addPenalty(peerId: string, penalty: number, label: string): void };
  getScore(peerId: string): number;
  getMeshPeers(topic: string): string[];
  dumpPeerScoreStats(): Record<string, { topics: Record<string, { firstMessageDeliveries: number }> }>;
  reportMessageValidationResult(messageId: string, peerId: string, acceptance: string): unknown;
}

export type Node = Libp2p<{ pubsub: GossipSub & Inner }>;

const base = {
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
};

export async function startNode(
  options: Partial<GossipsubOpts> = {},
  topics: readonly string[] = [TOPIC],
): Promise<Node> {
  const node = await createLibp2p({
    ...base,
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
        heartbeatInterval: 200,
        ...options,
      }),
    },
  });
  for (const topic of topics) node.services.pubsub.subscribe(topic);
  return node as unknown as Node;
}

export interface RawPeer {
  readonly id: string;
  readonly libp2p: Libp2p;
  /** Streams that the node opened to us. */
  readonly inbound: Stream[];
  readonly received: RPC[];
  connect(node: Node): Promise<{ connection: Connection; stream: Stream }>;
  send(rpc: Partial<RPC>): void;
  sendBytes(bytes: Uint8Array): void;
}

/** Announces `topics` when it connects, and nothing else. */
export async function startRaw(topics: readonly string[] = [TOPIC]): Promise<RawPeer> {
  const libp2p = await createLibp2p({ ...base, services: { identify: identify() } });
  const inbound: Stream[] = [];
  const received: RPC[] = [];
  let out: Stream | undefined;
  await libp2p.handle(MESHSUB, (stream) => {
    inbound.push(stream);
    let buffer = Buffer.alloc(0);
    stream.addEventListener("message", ({ data }) => {
      buffer = Buffer.concat([buffer, data.subarray()]);
      for (;;) {
        const frame = cutFrame(buffer);
        if (frame === null) return;
        received.push(RPC.decode(frame.body));
        buffer = buffer.subarray(frame.size);
      }
    });
  });
  const sendBytes = (bytes: Uint8Array) => void out?.send(bytes);
  const send = (rpc: Partial<RPC>) => {
    const body = RPC.encode({ subscriptions: [], messages: [], ...rpc });
    sendBytes(Buffer.concat([varint(body.length), body]));
  };
  return {
    id: libp2p.peerId.toString(),
    libp2p,
    inbound,
    received,
    send,
    sendBytes,
    async connect(node) {
      const before = inbound.length;
      const connection = await libp2p.dial(node.getMultiaddrs());
      out = await connection.newStream(MESHSUB);
      await waitFor(() => inbound.length > before);
      send({ subscriptions: topics.map((topic) => ({ topic, subscribe: true })) });
      await waitFor(() => topics.every((topic) => topicPeers(node, topic).includes(libp2p.peerId.toString())), 500);
      return { connection, stream: out };
    },
  };
}

export const topicPeers = (node: Node, topic: string) => node.services.pubsub.getSubscribers(topic).map(String);

export function controlRpc(control: Partial<RPC.ControlMessage>): Partial<RPC> {
  return { control: { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...control } };
}

export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

function cutFrame(buffer: Uint8Array): { body: Uint8Array; size: number } | null {
  let length = 0;
  for (let i = 0; i < buffer.length; i++) {
    const byte = buffer[i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    const size = i + 1 + length;
    return buffer.length < size ? null : { body: buffer.subarray(i + 1, size), size };
  }
  return null;
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether the condition came to hold in time. */
export async function waitFor(condition: () => boolean, ms = 3000): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(5)) if (condition()) return true;
  return condition();
}

/** The last line: whether the defect was seen, and by what. */
export function conclude(isDefect: boolean, seen: string): never {
  process.stdout.write(`${isDefect ? "DEFECT" : "SOUND"}: ${seen}\n`);
  process.exit(0);
}
