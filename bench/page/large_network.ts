/** A devnet's page with a network that nobody has to run: nodes, links, and messages that reach everybody. */
import { systemClock } from "../../src/base/clock.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { EXITS_NOT_READY } from "../../src/lab/devnet/page/exit_desk.ts";
import { type DevnetPage, startDevnetPage } from "../../src/lab/devnet/page/server.ts";

/** Links of each node to later ones, so that it has twice as many in all. */
const LINKS_PER_NODE = 8;

export interface LargeNetwork {
  readonly page: DevnetPage;
  readonly links: number;
  /** Every node judges one more message, each brought by a neighbour that has it. */
  tellMessage(): void;
}

/** @param port 0 takes any free one. */
export async function startLargeNetwork(nodes: number, port = 0): Promise<LargeNetwork> {
  const random = seededRandom(1);
  const page = await startDevnetPage(port, {
    clock: systemClock,
    nodes: () => [],
    strangers: () => new Map(),
    requestExit: () => EXITS_NOT_READY,
  });
  const name = (k: number) => `node-${k}`;
  const nowMs = systemClock.nowMs();
  for (let k = 0; k < nodes; k++) {
    page.tell(
      { event: "node_ready", node: name(k), peerId: `peer-${k}`, multiaddrs: [], apiUrl: null, pageUrl: null },
      nowMs,
    );
    page.tell({ event: "block", node: name(k), slot: 1, blockRoot: "0x01", optimistic: false }, nowMs);
  }
  const neighbours = linksAmong(nodes, random);
  const links = neighbours.flatMap((others, k) =>
    others.map((other) => ({ source: name(k), target: name(other), mesh: other % 2 === 0 })),
  );
  page.tell({ event: "links", links }, nowMs);
  let messages = 0;
  return {
    page,
    links: links.length,
    tellMessage() {
      const startMs = systemClock.nowMs();
      const pubkey = `0x${(++messages).toString(16).padStart(96, "0")}`;
      for (let k = 0; k < nodes; k++) {
        const from = k === 0 ? null : `peer-${random.below(k)}`;
        page.tell(
          {
            event: "verdict",
            topic: "triggered_exit",
            node: name(k),
            source: k === 0 ? "execution" : "gossip",
            peerId: from,
            pubkey,
            messageIndex: String(messages),
            result: "accept",
            code: "VALID",
            elapsedMs: 0.2,
          },
          startMs + Math.log2(1 + k) * 10,
        );
      }
    },
  };
}

/** Of each node those after it, drawn from the seed. */
function linksAmong(nodes: number, random: Random): number[][] {
  return Array.from({ length: nodes }, (_, k) => {
    const others = new Set<number>();
    const wanted = Math.min(LINKS_PER_NODE, nodes - 1 - k);
    while (others.size < wanted) others.add(k + 1 + random.below(nodes - 1 - k));
    return [...others];
  });
}
