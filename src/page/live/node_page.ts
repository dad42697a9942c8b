/** A single node's page: itself, its peers, and what it judges. */
import { card, h, setText, tiles } from "./dom.ts";
import type { TimedEvent, VerdictResult } from "./events.ts";
import { Model } from "./model.ts";
import { networkView } from "./network_view.ts";
import { nodePanel } from "./node_panel.ts";
import type { Page } from "./page.ts";
import { pollNode } from "./poll_node.ts";
import { type Sample, sampleOf } from "./prometheus.ts";
import { openEvents } from "./source.ts";
import { plural, shorten, shortPeerId } from "./text.ts";
import { nowMs } from "./time.ts";
import { verdictsView } from "./verdicts_view.ts";
import type { View } from "./view.ts";

const SELF = "this node";
const TOPICS = ["head", "finalized_checkpoint", "triggered_exit", "verdict"] as const;

interface HeadOfApi {
  readonly slot: string;
  readonly block: string;
}

interface VerdictOfApi {
  readonly source: string;
  readonly peer_id: string | null;
  readonly pubkey: string | null;
  readonly message_index: string | null;
  readonly result: VerdictResult;
  readonly code: string;
  readonly elapsed_ms: number;
}

export function nodePage(): Page {
  const model = new Model();
  model.addNode(SELF, "self");
  const panel = nodePanel("This node", null);
  const subtitle = h("span", { class: "muted" });
  const chain = nodeChainView();
  const poll = pollNode({
    panel,
    paths: () => ({ metrics: "/metrics", peers: "/eth/v1/node/peers" }),
    nameOf: shortPeerId,
    onAnswer(metrics, peers) {
      chain.setMetrics(metrics);
      model.setPeers(
        SELF,
        peers.map(({ peer_id, agent, direction, mesh }) => ({
          name: peer_id,
          detail: `${agent ?? "unknown agent"}, ${direction}`,
          mesh: mesh.some((topic) => topic.includes("/triggered_exit/")),
        })),
      );
    },
  });
  // Without it the page says less, and works.
  describe(subtitle).catch(() => {});
  const own: View = { element: panel.element, update: () => {} };
  return {
    title: "msgbus node",
    subtitle,
    model,
    layout: [chain, [[networkView()], [verdictsView()]], own],
    update: () => {},
    connect: (onState) =>
      openEvents(
        `/eth/v1/events?topics=${TOPICS.join(",")}`,
        TOPICS,
        (topic, data) => {
          const event = eventOf(topic, data);
          if (event !== null) model.apply(event);
          // The event tells the epoch; its slot is in the metrics.
          if (topic === "finalized_checkpoint") poll.now();
        },
        (state) => {
          // It may come back with another chain, and a lower head.
          if (state === "lost") model.forgetHead(SELF);
          onState(state);
        },
      ),
    poll,
  };
}

/** In the form of a devnet's events. */
function eventOf(topic: string, data: unknown): TimedEvent | null {
  const time = nowMs();
  switch (topic) {
    case "head": {
      const { slot, block } = data as HeadOfApi;
      return { event: "block", node: SELF, slot: Number(slot), blockRoot: block, time };
    }
    case "finalized_checkpoint":
      return { event: "finalized", node: SELF, epoch: Number((data as { epoch: string }).epoch), time };
    case "verdict": {
      const { source, peer_id, pubkey, message_index, result, code, elapsed_ms } = data as VerdictOfApi;
      const judged = { source, peerId: peer_id, pubkey, messageIndex: message_index, result, code };
      return { event: "verdict", node: SELF, ...judged, elapsedMs: elapsed_ms, time };
    }
    default:
      return null;
  }
}

function nodeChainView(): View & { setMetrics(metrics: readonly Sample[]): void } {
  const figures = tiles(["Head slot", "Finalized slot", "Execution client", "Verdicts"]);
  const element = card("Chain", figures.element);
  element.classList.add("wide");
  let head: Model["head"] = null;
  const setHead = (slot: number) =>
    figures.set("Head slot", String(slot), head !== null && head.slot === slot ? shorten(head.root) : "");
  return {
    element,
    update(model) {
      head = model.head;
      if (head !== null) setHead(head.slot);
      figures.set("Verdicts", String(model.verdictCount), "on triggered exits, since this page was opened");
    },
    setMetrics(metrics) {
      const slot = sampleOf(metrics, "msgbus_head_slot");
      if (slot !== null && slot >= (head?.slot ?? 0)) setHead(slot);
      figures.set("Finalized slot", String(sampleOf(metrics, "msgbus_finalized_slot") ?? "–"));
      const answers = sampleOf(metrics, "msgbus_execution_available") === 1;
      figures.set("Execution client", answers ? "answers" : "away", answers ? "" : "payloads stay unverified");
    },
  };
}

async function describe(subtitle: HTMLElement): Promise<void> {
  const [identity, version] = await Promise.all(
    ["/eth/v1/node/identity", "/eth/v1/node/version"].map(async (path) => (await fetch(path)).json()),
  );
  const { peer_id, p2p_addresses } = (identity as { data: { peer_id: string; p2p_addresses: string[] } }).data;
  const addresses = p2p_addresses.length === 0 ? "" : `, ${plural(p2p_addresses.length, "address", "addresses")}`;
  setText(subtitle, `${(version as { data: { version: string } }).data.version}, ${peer_id}${addresses}`);
}
