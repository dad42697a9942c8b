/** Real networks on loopback for tests: nodes, a backend with fixed answers, and waiting for what must come. */
import { afterEach } from "vitest";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createNetwork, type NetworkOptions } from "../../src/network/create_network.ts";
import type { Cure } from "../../src/network/cures/cure.ts";
import { ALL_CURES } from "../../src/network/cures/index.ts";
import { createIdentity } from "../../src/network/identity.ts";
import type {
  GossipHandler,
  GossipVerdict,
  Network,
  ReqRespBackend,
  StatusMessage,
  WireBlock,
} from "../../src/network/network.ts";

import { FAST_STACK, type TransportStack } from "../../src/network/transport/stack.ts";

export const DIGEST = "0a0b0c0d";
export const EXIT = "triggered_exit";
export const EXIT_TOPIC = `/eth2/${DIGEST}/${EXIT}/ssz_snappy`;
const DEADLINE_MS = 60_000;

export const ACCEPT: GossipHandler = () => ({ result: "accept", code: "VALID" });
export const IGNORE: GossipHandler = () => ({ result: "ignore", code: "UNKNOWN_ROOT" });
export const REJECT: GossipHandler = () => ({ result: "reject", code: "BAD_COUNT" });

/** An exit's size of bytes, different for each `seed`. */
export function exitBytes(seed: number): Uint8Array {
  return Uint8Array.from({ length: 1132 }, (_, i) => (i * 31 + seed * 7 + (i >> 3) * seed) & 0xff);
}

export function statusOf(digest: string): StatusMessage {
  return {
    forkDigest: Uint8Array.from(Buffer.from(digest, "hex")),
    finalizedRoot: new Uint8Array(32).fill(1),
    finalizedEpoch: 2,
    headRoot: new Uint8Array(32).fill(3),
    headSlot: 40,
    earliestAvailableSlot: 4,
  };
}

export interface TestBackend extends ReqRespBackend {
  readonly statuses: Map<string, StatusMessage>;
  readonly gone: string[];
}

export function fixedBackend(digest: string, blocks: WireBlock[] = []): TestBackend {
  const statuses = new Map<string, StatusMessage>();
  const gone: string[] = [];
  return {
    statuses,
    gone,
    getStatus: () => statusOf(digest),
    onStatus: (peerId, status) => void statuses.set(peerId, status),
    onPeerGone: (peerId) => void gone.push(peerId),
    async *getBlocksByRange(startSlot, count) {
      yield* blocks.slice(startSlot, startSlot + count);
    },
    async *getBlocksByRoot(roots) {
      for (const root of roots) yield* blocks.filter(({ ssz }) => ssz[0] === root[0]);
    },
  };
}

export interface TestNode {
  readonly network: Network;
  readonly backend: TestBackend;
  readonly verdicts: GossipVerdict[];
  /** Gossipsub heartbeats since the start: what should not happen is awaited by these, not by time. */
  heartbeats(): number;
}

export interface NodeSetup {
  handler?: GossipHandler;
  bootnodes?: readonly TestNode[];
  backend?: TestBackend;
  cures?: readonly Cure[];
  clock?: Clock;
  stack?: TransportStack;
  options?: Partial<NetworkOptions>;
}

const started: { stop(): unknown }[] = [];

/** Stopped after the test, whatever its end. */
export function stopAfterTest<T extends { stop(): unknown }>(part: T): T {
  started.push(part);
  return part;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((part) => part.stop()));
});

export async function startNode(setup: NodeSetup = {}): Promise<TestNode> {
  const { privateKey } = await createIdentity();
  const backend = setup.backend ?? fixedBackend(DIGEST);
  const verdicts: GossipVerdict[] = [];
  let heartbeats = 0;
  const countHeartbeats: Cure = {
    name: "count_heartbeats",
    install: ({ pubsub }) => pubsub.addEventListener("gossipsub:heartbeat", () => void heartbeats++),
  };
  const network = createNetwork(
    {
      privateKey,
      listen: ["/ip4/127.0.0.1/tcp/0"],
      bootnodes: (setup.bootnodes ?? []).flatMap((node) => node.network.multiaddrs()),
      version: "0.0.0",
      slotMs: 2000,
      slotsPerEpoch: 8,
      forkDigests: [DIGEST],
      ...setup.options,
    },
    {
      backend,
      onVerdict: (verdict) => void verdicts.push(verdict),
      clock: setup.clock ?? systemClock,
      random: systemRandom,
      log: silentLogger,
    },
    [...(setup.cures ?? ALL_CURES), countHeartbeats],
    setup.stack ?? FAST_STACK,
  );
  if (setup.handler !== undefined) network.subscribe({ name: EXIT, forkDigest: DIGEST, handler: setup.handler });
  await network.start();
  stopAfterTest(network);
  return { network, backend, verdicts, heartbeats: () => heartbeats };
}

/** Resolves when `condition` holds; throws `what` at the deadline. */
export async function until(what: string, condition: () => boolean, deadlineMs = DEADLINE_MS): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited in vain: ${what}`);
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
  }
}

export async function untilHeartbeats(node: TestNode, count: number): Promise<void> {
  const start = node.heartbeats();
  await until(`${count} heartbeats`, () => node.heartbeats() >= start + count);
}

export async function untilMeshed(nodes: readonly TestNode[], degree = nodes.length - 1): Promise<void> {
  await until("every node has its mesh", () =>
    nodes.every(({ network }) => network.meshPeerCount(EXIT, DIGEST) >= degree),
  );
}

/** Three nodes in a row, the middle one between the others: what reaches the last was forwarded. */
export async function startLine(
  handlers: readonly [GossipHandler, GossipHandler, GossipHandler],
): Promise<[TestNode, TestNode, TestNode]> {
  const first = await startNode({ handler: handlers[0] });
  const middle = await startNode({ handler: handlers[1], bootnodes: [first] });
  const last = await startNode({ handler: handlers[2], bootnodes: [middle] });
  await untilMeshed([first, last], 1);
  await untilMeshed([middle], 2);
  return [first, middle, last];
}
