/** A whole node, killed with -9 while exits pour in, and started again: real processes on a real chain. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { startAnvil } from "../../src/lab/anvil.ts";
import { MessageSender } from "../../src/lab/devnet/message_sender.ts";
import { NodeProcess } from "../../src/lab/devnet/node_process.ts";
import { makeNetwork, withdrawalAccountOf } from "../../src/lab/genesis.ts";
import type { NodeEvent } from "../../src/node_events.ts";
import { getInteropKeys } from "../../src/state/interop_keys.ts";
import { LAUNCHER } from "../cli/run.ts";
import { until } from "../network/nodes.ts";

const VALIDATORS = 160;
/** More than blocks hold until the killed node is back, so that the pool has something to bring back. */
const EXITS = 120;
const KILL_AFTER = 20;
const DEADLINE_MS = 60_000;

let resources: AsyncDisposableStack;
let dir: string;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), "msgbus-kill-"));
  resources.defer(() => rm(dir, { recursive: true, force: true }));
});
afterEach(() => resources.disposeAsync());

type Ready = Extract<NodeEvent, { event: "ready" }>;

/** A node as the devnet runs it: killed, it starts again after a second. */
function startNode(name: string, args: readonly string[]) {
  const events: NodeEvent[] = [];
  const lives: Ready[] = [];
  const listener = {
    onEvent: (event: NodeEvent) => {
      events.push(event);
      if (event.event === "ready") lives.push(event);
    },
    onExit: () => void events.splice(0),
  };
  const options = { name, args: ["node", "--json", ...args], logFile: join(dir, `${name}.log`), entry: LAUNCHER };
  const process = new NodeProcess(options, listener, systemClock);
  process.start();
  resources.defer(() => process.stop());
  return { process, events, lives };
}

function accepted(events: readonly NodeEvent[]): string[] {
  return events.flatMap((event) =>
    event.event === "verdict" && event.result === "accept" && event.pubkey !== null ? [event.pubkey] : [],
  );
}

async function pooled(apiUrl: string): Promise<string[]> {
  const answer = await fetch(`${apiUrl}/eth/v1/beacon/pool/triggered_exits`);
  const { data } = (await answer.json()) as { data: { data: { pubkey: string } }[] };
  return data.map((exit) => exit.data.pubkey);
}

test("kill -9: each exit that a node has accepted is in its pool again, or in a block, after the restart", async () => {
  const anvil = await startAnvil({ mining: "manual" }, systemClock);
  resources.defer(() => anvil.stop());
  const networkDir = join(dir, "network");
  const plan = { dir: networkDir, validators: VALIDATORS, secondsPerSlot: 2, genesisDelayMs: 4_000 };
  const network = await makeNetwork(
    { ...plan, elUrl: anvil.url, contract: null, messageBusForkEpoch: 0, bootnodes: [] },
    systemClock,
  );
  const common = ["--network", networkDir, "--el-url", anvil.url];
  const proposer = startNode("proposer", [...common, "--validators", `0..${VALIDATORS - 1}`]);
  await until("the proposer", () => proposer.lives.length > 0, DEADLINE_MS);
  const bootnode = proposer.lives[0]?.multiaddrs[0] ?? "";
  const killed = startNode("killed", [...common, "--data-dir", join(dir, "data"), "--bootnode", bootnode]);
  await until("its first blocks", () => killed.events.some(({ event }) => event === "block"), DEADLINE_MS);

  const left = new AbortController();
  resources.defer(() => left.abort());
  const { contract } = network;
  const sender = new MessageSender({
    ...{ elUrl: anvil.url, contract, clock: systemClock },
    signal: left.signal,
    onSent: () => {},
  });
  const exits = getInteropKeys(EXITS).map(({ pubkey }, validatorIndex) => {
    return { pubkey, validatorIndex, account: withdrawalAccountOf(validatorIndex) };
  });
  const sending = sender.sendAll("exit", exits, () => {});
  await until("exits in the pool", () => accepted(killed.events).length >= KILL_AFTER, DEADLINE_MS);
  const { pid } = killed.process;
  if (pid === null) throw new Error("the node has left by itself");
  process.kill(pid, "SIGKILL");
  const before = accepted(killed.events);

  await until("the restart", () => killed.lives.length === 2, DEADLINE_MS);
  const restored = new Set<string | null>();
  const isRestored = () => {
    for (const event of killed.events) {
      if (event.event === "verdict" && event.source === "journal") restored.add(event.pubkey);
    }
    return before.every((pubkey) => restored.has(pubkey));
  };
  await until("the journal's exits", isRestored, DEADLINE_MS);
  left.abort();
  await sending.catch(() => {});
  const inBlocks = () => killed.events.flatMap((event) => (event.event === "included" ? event.pubkeys : []));
  const lost = async () => {
    const kept = new Set([...(await pooled(killed.lives[1]?.apiUrl ?? "")), ...inBlocks()]);
    return before.filter((pubkey) => !kept.has(pubkey));
  };
  // An exit may be on its way from the pool into a block while we ask.
  let missing = await lost();
  const endMs = systemClock.monotonicMs() + 10_000;
  while (missing.length > 0 && systemClock.monotonicMs() < endMs) missing = await lost();
  expect(missing).toEqual([]);
}, 120_000);
