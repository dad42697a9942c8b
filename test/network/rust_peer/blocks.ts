/** Large messages between Rust peers and a node of ours, which dials one of them and is dialled by the other. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { createNetwork } from "../../../src/network/create_network.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import { createIdentity } from "../../../src/network/identity.ts";
import { backendWithoutBlocks } from "../../../src/network/network.ts";
import { formatTopic } from "../../../src/network/topics.ts";
import type { PeerEvent, PeerProgram } from "../peer_program.ts";
import { type RustOffer, startRustPeer } from "./rust_peer.ts";

const MIB = 1024 * 1024;
/** Below and above rust-libp2p's largest yamux frame, and the largest that the library can send and take in. */
const SIZES_BYTES = [MIB / 2, 1.5 * MIB, 3.9 * MIB];
const TAKEN_BYTES = [...SIZES_BYTES, 9.5 * MIB];
const ROUNDS = 5;
const DIGEST = "0a0b0c0d";
const NAME = "beacon_block";
const ANY_ADDRESS = "/ip4/127.0.0.1/tcp/0";
const BAD = ["disconnected", "prune", "error", "slow", "unsupported"];

export interface BlocksOutcome {
  readonly sent: number;
  readonly heard: number;
  /** What the peers tell of hang-ups, prunes and errors. */
  readonly events: readonly PeerEvent[];
  readonly disconnects: Readonly<Record<string, number>>;
  readonly lowestScore: number;
}

type Until = (what: string, condition: () => boolean) => Promise<void>;

/** Each message is sent when the one before has come, as blocks are. */
export async function exchangeBlocks(program: string, offer: RustOffer, until: Until): Promise<BlocksOutcome> {
  const topic = formatTopic(NAME, DIGEST);
  const dialled = startRustPeer(program, ANY_ADDRESS, topic, { offer });
  await until("the peer listens", () => dialled.has("listening"));
  const root = new Uint8Array(32);
  const status = { finalizedRoot: root, finalizedEpoch: 0, headRoot: root, headSlot: 0, earliestAvailableSlot: 0 };
  const node = createNetwork(
    {
      privateKey: (await createIdentity()).privateKey,
      listen: [ANY_ADDRESS],
      bootnodes: [dialled.events.find(({ event }) => event === "listening")?.message ?? ""],
      version: "0.0.0",
      slotMs: 6000,
      slotsPerEpoch: 8,
      forkDigests: [DIGEST],
    },
    {
      backend: backendWithoutBlocks(() => ({ forkDigest: Buffer.from(DIGEST, "hex"), ...status })),
      onVerdict() {},
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
    },
  );
  node.subscribe({ name: NAME, forkDigest: DIGEST, handler: () => ({ result: "accept", code: "VALID" }) });
  await node.start();
  const dialler = startRustPeer(program, node.multiaddrs()[0] ?? "", topic, { offer });
  const peers = [dialled, dialler];
  await until("both have us in their meshes", () => peers.every((peer) => peer.has("graft")));
  await until("we have both in ours", () => node.meshPeerCount(NAME, DIGEST) === 2);

  const heardBy = (peer: PeerProgram) => peer.events.filter(({ event }) => event === "message").length;
  const heard = () => heardBy(dialled) + heardBy(dialler);
  let sent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const sizeBytes of TAKEN_BYTES) {
      dialler.publish(compressBlock(randomBytes(sizeBytes)));
      sent++;
      await until(`one of ${sizeBytes} bytes is forwarded`, () => heard() >= sent);
    }
    for (const sizeBytes of SIZES_BYTES) {
      await node.publish(NAME, DIGEST, randomBytes(sizeBytes));
      sent += 2;
      await until(`ours of ${sizeBytes} bytes comes`, () => heard() >= sent);
    }
  }
  const events = peers.flatMap((peer) => peer.events);
  const outcome = {
    sent,
    heard: heard(),
    events: events.filter(({ event }) => BAD.includes(event)),
    disconnects: node.disconnects(),
    lowestScore: Math.min(...events.map(({ score = 0 }) => score), ...node.peers().map(({ score }) => score)),
  };
  await Promise.all([...peers, node].map((part) => part.stop()));
  return outcome;
}
