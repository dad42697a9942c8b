/**
 * `node test/network/churn/measure.ts --kind flooded --count 2500 --rounds 4`: what a node in a process of its own keeps of
 * peers that come and go, each under an identity and from a loopback address of its own. Prints, for each round, heap and
 * buffers after a collection, and the growth for each peer.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

// Read at import by the libraries below.
process.env.LODESTAR_PRESET ??= "minimal";
const { sleep, systemClock } = await import("../../../src/base/clock.ts");
const { makeOwnNetwork } = await import("../../../src/lab/fuzz/fixture.ts");
const { scrape } = await import("../../../src/lab/fuzz/scrape.ts");
const { startTarget } = await import("../../../src/lab/fuzz/target.ts");
const { writeNetworkDir } = await import("../../../src/state/network_dir.ts");

const MESHSUB = "/meshsub/1.1.0";
const MALFORMED = Buffer.concat(new Array(20).fill(Uint8Array.of(3, 0xff, 0xff, 0xff)));
const FLOOD_FRAMES = 200;
/** Identify takes no longer on loopback. */
const STAY_MS = 50;
/** What a handshake that never ends may take. */
const SETTLE_MS = 12_000;

const dir = await mkdtemp(join(tmpdir(), "msgbus-churn-"));
const { network, head, finalized, fixture } = makeOwnNetwork(1, Math.floor(systemClock.nowMs() / 1000));
const stateFile = join(dir, "head.ssz");
await writeNetworkDir(dir, { network, genesisState: finalized, bootnodes: [], deployBlock: 0 });
await writeFile(stateFile, head.serialize());
const target = await startTarget("node", { networkDir: dir, stateFile, topic: fixture.topic }, systemClock);
const port = Number(target.address.split("/")[4]);

let addresses = 0;
/** Each takes a share of what one address may open in a second. */
function nextAddress(): string {
  const i = addresses++;
  return `127.1.${(i >> 7) & 0xff}.${1 + (i & 0x7f)}`;
}

async function withPeer(act: (peer: Libp2p) => Promise<void>): Promise<void> {
  const peer = await createLibp2p({
    addresses: { listen: [] },
    // Not in its types, but handed on to the socket.
    transports: [tcp({ dialOpts: { localAddress: nextAddress() } as object })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
  // A target that refuses, or hangs up in between, is what is looked for.
  await act(peer).catch(() => {});
  await peer.stop();
}

async function withSocket(first: Uint8Array): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port, localAddress: nextAddress() });
  const closed = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
  socket.once("connect", () => {
    if (first.length > 0) socket.write(first);
    socket.resetAndDestroy();
  });
  await closed;
}

const KINDS: Readonly<Record<string, () => Promise<void>>> = {
  flooded: () =>
    withPeer(async (peer) => {
      await peer.handle(MESHSUB, () => {});
      const connection = await peer.dial(multiaddr(target.address));
      const stream = await connection.newStream(MESHSUB);
      for (let i = 0; i < FLOOD_FRAMES && connection.status === "open"; i++) {
        stream.send(MALFORMED);
        await sleep(systemClock, 1);
      }
    }),
  left: () =>
    withPeer(async (peer) => {
      const connection = await peer.dial(multiaddr(target.address));
      await sleep(systemClock, STAY_MS);
      connection.abort(new Error("a peer that leaves"));
    }),
  aborted: () =>
    withPeer(async (peer) => {
      const connection = await peer.dial(multiaddr(target.address));
      connection.abort(new Error("a peer that leaves at once"));
    }),
  unfinished: () =>
    withSocket(Buffer.concat([Buffer.from("\x13/multistream/1.0.0\n\x07/noise\n\x00\x20"), new Uint8Array(32)])),
  silent: () => withSocket(new Uint8Array()),
};

const { values: flags } = parseArgs({
  options: {
    kind: { type: "string", default: "flooded" },
    count: { type: "string", default: "2500" },
    rounds: { type: "string", default: "4" },
    parallel: { type: "string", default: "6" },
  },
});
const churn = KINDS[flags.kind];
if (churn === undefined) throw new Error(`--kind is one of ${Object.keys(KINDS).join(", ")}`);
const count = Number(flags.count);

async function heapBytes(): Promise<number> {
  await target.collectGarbage();
  return (await scrape(target.metricsUrl)).heapBytes ?? Number.NaN;
}

let lastBytes = await heapBytes();
for (let round = 1; round <= Number(flags.rounds); round++) {
  let left = count;
  const dialOn = async () => {
    while (left-- > 0) await churn();
  };
  await Promise.all(Array.from({ length: Number(flags.parallel) }, dialOn));
  await sleep(systemClock, SETTLE_MS);
  const bytes = await heapBytes();
  const growth = { heapMb: bytes / 1e6, growthBytesPerPeer: Math.round((bytes - lastBytes) / count) };
  process.stdout.write(`${JSON.stringify({ kind: flags.kind, peers: round * count, ...growth })}\n`);
  lastBytes = bytes;
}
await target.stop();
await rm(dir, { recursive: true, force: true });
process.exit();
