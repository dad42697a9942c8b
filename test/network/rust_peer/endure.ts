/**
 * `npm run rust-peer -- --seconds 180`: Rust peers at Lighthouse's defaults around a node of ours that judges exits on fixed
 * views. They publish valid exits to each other through it at 1, 10 and 50 a second each, and a block's worth at once; one
 * leaves the topic and is told by IHAVE alone; one redials; one publishes what is invalid; two exchange blocks. Exits with 1
 * when an exit or a block is lost, anything invalid comes through, or one side hangs up, prunes or scores down the other.
 * Needs Rust's cargo.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cameTrue, type PeerProgram } from "../peer_program.ts";

// Read at import by the libraries below.
process.env.LODESTAR_PRESET ??= "minimal";
const { sleep, systemClock } = await import("../../../src/base/clock.ts");
const { seededRandom } = await import("../../../src/base/random.ts");
const { makeOwnNetwork } = await import("../../../src/lab/fuzz/fixture.ts");
const { scrape } = await import("../../../src/lab/fuzz/scrape.ts");
const { specimenOf } = await import("../../../src/lab/fuzz/specimens.ts");
const { startTarget } = await import("../../../src/lab/fuzz/target.ts");
const { compressBlock } = await import("../../../src/network/encoding.ts");
const { writeNetworkDir } = await import("../../../src/state/network_dir.ts");
const { exchangeBlocks } = await import("./blocks.ts");
const { buildRustPeer, startRustPeer } = await import("./rust_peer.ts");

const { values: flags } = parseArgs({
  options: {
    /** Of the three rates together. */
    seconds: { type: "string", default: "180" },
    /** Kept for the next run. */
    "build-dir": { type: "string", default: join(tmpdir(), "msgbus-rust-peer") },
  },
});
const RATES = [1, 10, 50];
const PHASE_S = Number(flags.seconds) / RATES.length;
/** A block of 60 million gas that is full of messages. */
const BLOCK_EXITS = 845;
/** Above 744 an IHAVE of all of them is one that rust-libp2p closes the stream on. */
const LAZY_EXITS = 1400;
const REDIALS = 10;
const DEADLINE_MS = 60_000;
/** Of attestation subnets and the like, beside the exits'. */
const OTHER_TOPICS = 99;

const REJECTED = ["BAD_SNAPPY", "WRONG_LENGTH", "BAD_COUNT", "UNKNOWN_VALIDATOR"] as const;
const IGNORED = ["UNKNOWN_ROOT", "EXIT_INITIATED", "WRONG_SENDER"] as const;

function tell(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

const late: string[] = [];
async function until(what: string, condition: () => boolean): Promise<void> {
  if (!(await cameTrue(condition))) late.push(what);
}

const program = await buildRustPeer(flags["build-dir"]);
const dir = await mkdtemp(join(tmpdir(), "msgbus-rust-"));
const ofRates = RATES.reduce((sum, rate) => sum + 2 * Math.ceil(rate * PHASE_S), 0);
const total = ofRates + BLOCK_EXITS + LAZY_EXITS + REDIALS + 1;
const { network, head, finalized, fixture } = makeOwnNetwork(total, Math.floor(systemClock.nowMs() / 1000));
const stateFile = join(dir, "head.ssz");
await writeNetworkDir(dir, { network, genesisState: finalized, bootnodes: [], deployBlock: 0 });
await writeFile(stateFile, head.serialize());
const target = await startTarget("node", { networkDir: dir, stateFile, topic: fixture.topic }, systemClock);
const targetPeerId = target.address.split("/").at(-1) ?? "";

const first = startRustPeer(program, target.address, fixture.topic, { otherTopics: OTHER_TOPICS });
const second = startRustPeer(program, target.address, fixture.topic, { offer: "lazy" });
const third = startRustPeer(program, target.address, fixture.topic, { offer: "mplex" });
const peers = { first, second, third };
const MESH_EVENTS = ["ready", "graft", "prune"];
const isMeshed = (peer: PeerProgram) =>
  peer.events.findLast(({ event }) => MESH_EVENTS.includes(event))?.event === "graft";
await until("all have us in their meshes", () => Object.values(peers).every(isMeshed));
tell("meshed", {});

const exits = fixture.valid.map((exit) => Buffer.from(compressBlock(exit)));
const unspent = [...exits];
const take = (count: number) => unspent.splice(0, count);

/** What each peer has yet to hear, as hex. */
const awaited = new Map(Object.values(peers).map((peer) => [peer, new Set<string>()]));
const strange = new Set<string>();
const read = new Map<PeerProgram, number>();
const valid = new Set(exits.map((exit) => exit.toString("hex")));
function listen(): void {
  for (const [peer, waiting] of awaited) {
    for (const { data } of peer.events.slice(read.get(peer) ?? 0)) {
      if (data === undefined) continue;
      waiting.delete(data);
      if (!valid.has(data)) strange.add(data);
    }
    read.set(peer, peer.events.length);
  }
}
function publish(from: PeerProgram, exit: Buffer): void {
  from.publish(exit);
  for (const [peer, waiting] of awaited) if (peer !== from) waiting.add(exit.toString("hex"));
}
async function settle(phase: string): Promise<void> {
  await until(phase, () => {
    listen();
    return [...awaited.values()].every(({ size }) => size === 0);
  });
  const scores = Object.values(peers).map(({ events }) => events.findLast(({ event }) => event === "score")?.score);
  tell(phase, { lost: [...awaited.values()].map(({ size }) => size), scores, late });
}

for (const rate of RATES) {
  const startMs = systemClock.monotonicMs();
  for (const [i, exit] of take(2 * Math.ceil(rate * PHASE_S)).entries()) {
    await sleep(systemClock, Math.max(0, startMs + (500 * i) / rate - systemClock.monotonicMs()));
    publish(i % 2 === 0 ? first : second, exit);
  }
  await settle(`${rate} a second each`);
}
for (const exit of take(BLOCK_EXITS)) publish(second, exit);
await settle("a block's worth at once");

// Who has left is told by IHAVE alone until its backoff is over, some 10 s after it has come back.
first.tell("leave");
await until("it has left", () => !isMeshed(first));
first.tell("join");
await until("we know that it is back", () => first.has("joined"));
for (const [i, exit] of take(LAZY_EXITS).entries()) publish(i % 2 === 0 ? second : third, exit);
await settle("by IHAVE alone");
await until("it is in the mesh again", () => isMeshed(first));
const prunes = Object.values(peers).map(({ events }) => events.filter(({ event }) => event === "prune").length);

for (const [i, exit] of take(REDIALS).entries()) {
  const connections = () => third.events.filter(({ event }) => event === "ready").length;
  third.tell("redial");
  await until("it is connected again", () => connections() === i + 2 && isMeshed(third));
  publish(third, exit);
  await settle("redialled");
}

type ApiPeer = { readonly peer_id: string; readonly score: number; readonly guard: Record<string, number> };
async function knownPeers(): Promise<ApiPeer[]> {
  const response = await fetch(new URL("/eth/v1/node/peers", target.metricsUrl ?? ""));
  return ((await response.json()) as { data: ApiPeer[] }).data;
}
const honest = Object.values(peers).flatMap(({ events }) => events);
const known = await knownPeers();

const random = seededRandom(1);
const bad = startRustPeer(program, target.address, fixture.topic);
await until("the fourth has us in its mesh", () => isMeshed(bad));
for (const code of [...REJECTED, ...IGNORED]) bad.publish(specimenOf(fixture, code)?.(random) ?? new Uint8Array());
for (const exit of take(1)) publish(bad, exit);
await settle("a valid exit behind invalid ones");
const badId = bad.events.find(({ event }) => event === "ready")?.peer;
let badScore = 0;
const scoreEndMs = systemClock.monotonicMs() + DEADLINE_MS;
while (badScore === 0 && systemClock.monotonicMs() < scoreEndMs) {
  badScore = (await knownPeers()).find(({ peer_id }) => peer_id === badId)?.score ?? 0;
}

let areBlocksSound = true;
for (const offer of ["yamux", "mplex"] as const) {
  const { sent, heard, ...rest } = await exchangeBlocks(program, offer, until);
  const isUnhurt = rest.events.length === 0 && Object.keys(rest.disconnects).length === 0 && rest.lowestScore >= 0;
  areBlocksSound &&= isUnhurt && heard === sent;
  tell("blocks", { offer, sent, heard, ...rest, late });
}

const BAD = ["disconnected", "error", "slow", "unsupported"];
const events = honest.filter(({ event }) => BAD.includes(event));
const scores = honest.filter(({ event, peer }) => event === "score" && peer === targetPeerId);
const lowestScore = Math.min(...scores.map(({ score = 0 }) => score));
const { disconnects } = await scrape(target.metricsUrl);
const isSound =
  areBlocksSound &&
  late.length === 0 &&
  strange.size === 0 &&
  events.length === 0 &&
  prunes.join() === "1,0,0" &&
  lowestScore >= 0 &&
  badScore < 0 &&
  known.length === awaited.size &&
  known.every(({ score }) => score >= 0) &&
  Object.keys(disconnects).length === 0 &&
  target.isRunning();
const protocols = Object.values(peers).map(({ events }) => events.find(({ protocol }) => protocol)?.protocol);
const counts = known.map(({ score, guard }) => ({ score, guard }));
tell("end", {
  isSound,
  exits: total,
  protocols,
  strange: strange.size,
  events,
  prunes,
  lowestScore,
  badScore,
  disconnects,
  counts,
  late,
});
await Promise.all([...Object.values(peers), bad, target].map((part) => part.stop()));
await rm(dir, { recursive: true, force: true });
process.exit(isSound ? 0 : 1);
