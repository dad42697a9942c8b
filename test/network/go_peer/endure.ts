/**
 * `npm run go-peer -- --seconds 600`: a Go peer at its defaults and a node of ours, each publishing valid exits to the other
 * through a third node on fixed views, while `msgbus fuzz` runs its whole catalogue against that one, again and again.
 * Exits with 1 when an exit is lost, anything invalid is forwarded, or the Go peer is hung up, pruned or scores us down. Needs Go.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { cameTrue } from "../peer_program.ts";

// Read at import by the libraries below.
process.env.LODESTAR_PRESET ??= "minimal";
const { sleep, systemClock } = await import("../../../src/base/clock.ts");
const { silentLogger } = await import("../../../src/base/log.ts");
const { systemRandom } = await import("../../../src/base/random.ts");
const { makeOwnNetwork } = await import("../../../src/lab/fuzz/fixture.ts");
const { scrape } = await import("../../../src/lab/fuzz/scrape.ts");
const { startTarget } = await import("../../../src/lab/fuzz/target.ts");
const { createNetwork } = await import("../../../src/network/create_network.ts");
const { backendWithoutBlocks } = await import("../../../src/network/network.ts");
const { compressBlock, decompressBlock } = await import("../../../src/network/encoding.ts");
const { createIdentity } = await import("../../../src/network/identity.ts");
const { writeNetworkDir } = await import("../../../src/state/network_dir.ts");
const { TRIGGERED_EXIT_SIZE_BYTES } = await import("../../../src/spec/constants.ts");
const { buildGoPeer, startGoPeer } = await import("./go_peer.ts");

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    /** Of each side. */
    "exits-per-second": { type: "string", default: "1" },
    attack: { type: "string", default: "messages,control,below" },
  },
});
const DURATION_MS = 1000 * Number(flags.seconds);
const INTERVAL_MS = 1000 / Number(flags["exits-per-second"]);
const ATTACK_SECONDS = "3";
/** For the attacks that spend valid exits of their own. */
const ATTACK_EXITS = 256;
const REPORT_MS = 30_000;

function tell(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

async function until(what: string, condition: () => boolean): Promise<boolean> {
  const isSo = await cameTrue(condition);
  if (!isSo) tell("late", { what });
  return isSo;
}

const dir = await mkdtemp(join(tmpdir(), "msgbus-endure-"));
const perSide = Math.ceil(DURATION_MS / INTERVAL_MS);
const { network, head, finalized, fixture } = makeOwnNetwork(
  2 * perSide + ATTACK_EXITS,
  Math.floor(systemClock.nowMs() / 1000),
);
const stateFile = join(dir, "head.ssz");
const validDir = join(dir, "valid");
await writeNetworkDir(dir, { network, genesisState: finalized, bootnodes: [], deployBlock: 0 });
await writeFile(stateFile, head.serialize());
await mkdir(validDir);
const ofAttacks = fixture.valid.slice(2 * perSide);
for (const [i, exit] of ofAttacks.entries()) await writeFile(join(validDir, `${i}.ssz`), exit);
const target = await startTarget("node", { networkDir: dir, stateFile, topic: fixture.topic }, systemClock);

const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");
const ofGo = fixture.valid.slice(0, perSide).map((exit) => compressBlock(exit));
const ofNode = fixture.valid.slice(perSide, 2 * perSide);
const wanted = { node: new Set(ofGo.map(hex)), go: new Set(ofNode.map((exit) => hex(compressBlock(exit)))) };
const heard = { node: new Set<string>(), go: new Set<string>() };
const validOfAttacks = new Set(ofAttacks.map(hex));
/** Of the messages that attackers brought, those that were forwarded and should not have been. */
const invalid = new Set<string>();

function note(side: "node" | "go", wireData: Uint8Array): void {
  const data = hex(wireData);
  const ssz = decompressBlock(wireData, TRIGGERED_EXIT_SIZE_BYTES);
  if (wanted[side].has(data)) heard[side].add(data);
  else if (ssz === null || !validOfAttacks.has(hex(ssz))) invalid.add(data);
}

const { forkDigest } = fixture;
const zero = new Uint8Array(32);
const node = createNetwork(
  {
    privateKey: (await createIdentity()).privateKey,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootnodes: [target.address],
    version: "0.0.0",
    slotMs: 6000,
    slotsPerEpoch: 8,
    forkDigests: [forkDigest],
  },
  {
    backend: backendWithoutBlocks(() => ({
      forkDigest: Buffer.from(forkDigest, "hex"),
      finalizedRoot: zero,
      finalizedEpoch: 0,
      headRoot: zero,
      headSlot: 0,
      earliestAvailableSlot: 0,
    })),
    onVerdict() {},
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
  },
);
node.subscribe({
  name: "triggered_exit",
  forkDigest,
  handler(wireData) {
    note("node", wireData);
    return { result: "accept", code: "VALID" };
  },
});
await node.start();
const go = startGoPeer(await buildGoPeer(dir), target.address, fixture.topic);
const targetPeerId = target.address.split("/").at(-1) ?? "";
await until(
  "both are meshed",
  () => go.has("graft", { peer: targetPeerId }) && node.peers()[0]?.meshTopics.length === 1,
);

let attacks = 0;
/** By the attack, the criteria that failed: timed ones do on a busy machine. */
const failedCriteria: Record<string, string[]> = {};
let isOver = false;
let attacker: ReturnType<typeof spawn> | null = null;
async function attackOn(): Promise<void> {
  for (let seed = 1; !isOver; seed++) {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, "../../../bin/msgbus.js"),
      ...["fuzz", "--json", "--peer", target.address, "--network", dir, "--state", stateFile],
      // Each can be spent once.
      ...(seed === 1 ? ["--valid", validDir] : []),
      ...["--attack", flags.attack, "--seconds", ATTACK_SECONDS, "--seed", String(seed)],
    ]);
    attacker = child;
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    createInterface(child.stdout).on("line", (line) => {
      const told = JSON.parse(line) as { event: string; attack: string; failed: string[] };
      if (told.event !== "attack") return;
      attacks++;
      if (told.failed.length > 0) failedCriteria[told.attack] = told.failed;
    });
    child.stderr.pipe(process.stderr);
    tell("attacked", { seed, exitCode: await exited });
  }
}
const attacking = attackOn();

const startedMs = systemClock.monotonicMs();
let published = 0;
const BAD = ["disconnected", "peer_gone", "prune", "reject", "error"];
function summary() {
  for (const { event, data } of go.events) if (event === "message") note("go", Buffer.from(data ?? "", "hex"));
  const scores = go.events.flatMap(({ score }) => score ?? []);
  const bad = go.events.filter(({ event }) => BAD.includes(event));
  return {
    seconds: Math.round((systemClock.monotonicMs() - startedMs) / 1000),
    attacks,
    goToNode: { published, delivered: heard.node.size },
    nodeToGo: { published, delivered: heard.go.size },
    invalid: invalid.size,
    goEvents: bad.map(({ event, message }) => message ?? event),
    goLowestScore: Math.min(0, ...scores),
    nodeDisconnects: node.disconnects(),
    failedCriteria,
  };
}
let toldMs = startedMs;
while (published < perSide) {
  const dueMs = startedMs + published * INTERVAL_MS;
  await sleep(systemClock, Math.max(0, dueMs - systemClock.monotonicMs()));
  go.publish(ofGo[published] as Uint8Array);
  await node.publish("triggered_exit", forkDigest, ofNode[published] as Uint8Array);
  published++;
  if (systemClock.monotonicMs() - toldMs < REPORT_MS) continue;
  toldMs = systemClock.monotonicMs();
  tell("progress", summary());
}
isOver = true;
(attacker as ReturnType<typeof spawn> | null)?.kill("SIGKILL");
await attacking;
await until("all is delivered", () => Math.min(summary().goToNode.delivered, summary().nodeToGo.delivered) === perSide);
const end = summary();
const isSound =
  end.goToNode.delivered === perSide &&
  end.nodeToGo.delivered === perSide &&
  end.invalid === 0 &&
  end.goEvents.length === 0 &&
  end.goLowestScore >= 0 &&
  target.isRunning();
const { disconnects } = await scrape(target.metricsUrl);
tell("end", { isSound, ...end, targetDisconnects: disconnects });
await go.stop();
await node.stop();
await target.stop();
await rm(dir, { recursive: true, force: true });
process.exit(isSound ? 0 : 1);
