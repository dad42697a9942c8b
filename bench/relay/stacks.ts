/** The two stacks that are compared, as publisher, relay or sink. */
import { gossipsub, StrictNoSign } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { privateKeyFromProtobuf } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createNetwork } from "../../src/network/create_network.ts";
import { ALL_CURES } from "../../src/network/cures/index.ts";
import { compressBlock, decompressBlock } from "../../src/network/encoding.ts";
import type { GossipsubInternals } from "../../src/network/gossipsub_internals.ts";
import { backendWithoutBlocks, type StatusMessage } from "../../src/network/network.ts";
import { formatTopic } from "../../src/network/topics.ts";
import { promptMessages } from "../../src/network/transport/inbound_messages.ts";
import { leanNoise } from "../../src/network/transport/lean_noise.ts";
import { createNoiseCrypto, noiseCrypto } from "../../src/network/transport/noise_crypto.ts";
import { gatheredRpcs, sharedEncoding } from "../../src/network/transport/outbound_rpcs.ts";
import { plainRpcs } from "../../src/network/transport/plain_rpc.ts";
import { FAST_STACK, STOCK_STACK, type TransportStack } from "../../src/network/transport/stack.ts";
import { FORK_DIGEST, PAYLOAD_BYTES, type RelayName, SLOT_MS, SLOTS_PER_EPOCH } from "./protocol.ts";

const TOPIC = formatTopic("triggered_exit", FORK_DIGEST);
const LISTEN = ["/ip4/127.0.0.1/tcp/0"];

const STACKS: Record<Exclude<RelayName, "stock">, TransportStack> = {
  "stock transport": STOCK_STACK,
  msgbus: FAST_STACK,
  "no prompt messages": { ...FAST_STACK, gossip: [plainRpcs, gatheredRpcs, sharedEncoding] },
  "no gathered RPCs": { ...FAST_STACK, gossip: [plainRpcs, promptMessages, sharedEncoding] },
  "no shared encoding": { ...FAST_STACK, gossip: [plainRpcs, promptMessages, gatheredRpcs] },
  "no plain RPCs": { ...FAST_STACK, gossip: [promptMessages, gatheredRpcs, sharedEncoding] },
  "no lean yamux": { ...FAST_STACK, muxer: STOCK_STACK.muxer },
  "no one write": { ...FAST_STACK, transport: STOCK_STACK.transport },
  "no lean noise": { ...FAST_STACK, encrypter: () => noise({ crypto: noiseCrypto }) },
  "no noise cipher": { ...FAST_STACK, encrypter: () => leanNoise(noise()) },
  "no libsodium": { ...FAST_STACK, encrypter: () => leanNoise(noise({ crypto: createNoiseCrypto(null) })) },
};

export interface BenchNode {
  readonly address: string;
  meshPeers(): number;
  /** False: there was nobody to send to. */
  publish(ssz: Uint8Array): Promise<boolean>;
}

export interface NodeSpec {
  readonly stack: RelayName;
  /** Libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
  /** Null: listens. */
  readonly dial: string | null;
  /** Absent: forwards all the same. */
  readonly onMessage?: (ssz: Uint8Array) => void;
}

export function startBenchNode(spec: NodeSpec): Promise<BenchNode> {
  if (spec.stack === "stock") return startStock(spec);
  return startMsgbus(spec, STACKS[spec.stack]);
}

/**
 * Everything by default, but for signatures, which Ethereum's gossip has none of, and for what a ping does that comes
 * late: on a busy machine the connection would end, and a round never.
 */
async function startStock({ privateKey, dial, onMessage }: NodeSpec): Promise<BenchNode> {
  const node = await createLibp2p({
    privateKey: privateKeyFromProtobuf(privateKey),
    addresses: { listen: dial === null ? LISTEN : [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { abortConnectionOnPingFailure: false },
    services: { identify: identify(), ping: ping(), pubsub: gossipsub({ globalSignaturePolicy: StrictNoSign }) },
  });
  const { pubsub } = node.services;
  // Not in its public types.
  const { mesh } = pubsub as unknown as Pick<GossipsubInternals, "mesh">;
  pubsub.subscribe(TOPIC);
  if (onMessage !== undefined) {
    pubsub.addEventListener("gossipsub:message", ({ detail }) => onMessage(decompress(detail.msg.data)));
  }
  if (dial !== null) await node.dial(multiaddr(dial));
  return {
    address: String(node.getMultiaddrs()[0] ?? ""),
    meshPeers: () => mesh.get(TOPIC)?.size ?? 0,
    async publish(ssz) {
      const { recipients } = await pubsub.publish(TOPIC, compressBlock(ssz));
      return recipients.length > 0;
    },
  };
}

/** With all that the node has between a peer's bytes and a verdict, which here is always to accept. */
async function startMsgbus({ privateKey, dial, onMessage }: NodeSpec, stack: TransportStack): Promise<BenchNode> {
  const status: StatusMessage = {
    forkDigest: Uint8Array.from(Buffer.from(FORK_DIGEST, "hex")),
    finalizedRoot: new Uint8Array(32),
    finalizedEpoch: 0,
    headRoot: new Uint8Array(32),
    headSlot: 0,
    earliestAvailableSlot: 0,
  };
  const network = createNetwork(
    {
      privateKey,
      listen: LISTEN,
      bootnodes: dial === null ? [] : [dial],
      version: "0.0.0",
      slotMs: SLOT_MS,
      slotsPerEpoch: SLOTS_PER_EPOCH,
      forkDigests: [FORK_DIGEST],
      testNetworks: ["127.0.0.0/8"],
    },
    {
      backend: backendWithoutBlocks(() => status),
      onVerdict() {},
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
    },
    ALL_CURES,
    stack,
  );
  network.subscribe({
    name: "triggered_exit",
    forkDigest: FORK_DIGEST,
    handler(wireData) {
      onMessage?.(decompress(wireData));
      return { result: "accept", code: "VALID" };
    },
  });
  await network.start();
  return {
    address: network.multiaddrs()[0] ?? "",
    meshPeers: () => network.meshPeerCount("triggered_exit", FORK_DIGEST),
    publish: async (ssz) => (await network.publish("triggered_exit", FORK_DIGEST, ssz)).recipients > 0,
  };
}

function decompress(wireData: Uint8Array): Uint8Array {
  const ssz = decompressBlock(wireData, PAYLOAD_BYTES);
  if (ssz === null) throw new Error("A message came damaged");
  return ssz;
}
