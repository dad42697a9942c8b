/** The devnet's page: its nodes, every message's way through them, and a form that sends one more. */
import { chainView } from "./chain_view.ts";
import { h, newId, setText } from "./dom.ts";
import type { TimedEvent } from "./events.ts";
import { exitView } from "./exit_view.ts";
import { latencyView } from "./latency_view.ts";
import { Model } from "./model.ts";
import { networkView } from "./network_view.ts";
import { nodePanel } from "./node_panel.ts";
import { nodesView } from "./nodes_view.ts";
import type { Page } from "./page.ts";
import { pollNode } from "./poll_node.ts";
import { openEvents } from "./source.ts";
import { byName } from "./text.ts";
import { verdictsView } from "./verdicts_view.ts";
import type { View } from "./view.ts";

type DevnetData = TimedEvent | { readonly event: "hello"; readonly isResumed: boolean; readonly time?: undefined };

export function devnetPage(): Page {
  const model = new Model();
  const network = networkView();
  const chooserId = newId();
  const chooser = h("select", { id: chooserId });
  const panel = nodePanel("One node", h("div", { class: "field" }, h("label", { for: chooserId }, "Node"), chooser));
  network.onChoose((name) => {
    if (![...chooser.options].some(({ value }) => value === name)) return;
    chooser.value = name;
    poll.now();
  });
  const poll = pollNode({
    panel,
    paths() {
      const node = `/devnet/v1/nodes/${encodeURIComponent(chooser.value)}`;
      return chooser.value === "" ? null : { metrics: `${node}/metrics`, peers: `${node}/peers` };
    },
    nameOf: (peerId) => model.nameOf(peerId),
  });
  chooser.addEventListener("change", () => poll.now());
  const oneNode: View = { element: panel.element, update: () => setNodeChoices(chooser, model) };
  const subtitle = h("span", { class: "muted" });
  return {
    title: "msgbus devnet",
    model,
    subtitle,
    layout: [
      chainView(),
      [
        [network, latencyView()],
        [exitView(), verdictsView()],
      ],
      oneNode,
      nodesView(),
    ],
    update() {
      const facts = model.network;
      if (facts === null) return;
      setText(
        subtitle,
        `${facts.nodes} nodes, ${facts.validators} validators, ${facts.secondsPerSlot} s slots, contract ${facts.contract}`,
      );
    },
    connect(onState) {
      return openEvents(
        "/devnet/v1/events",
        ["devnet"],
        (_, data) => {
          const event = data as DevnetData;
          if (event.event !== "hello") model.apply(event);
          else if (!event.isResumed) model.reset();
        },
        onState,
      );
    },
    poll,
  };
}

function setNodeChoices(chooser: HTMLSelectElement, { nodes }: Model): void {
  const names = [...nodes.values()].filter(({ kind }) => kind === "node").map(({ name }) => name);
  names.sort(byName);
  if (names.join() === [...chooser.options].map(({ value }) => value).join()) return;
  const { value } = chooser;
  chooser.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
  if (names.includes(value)) chooser.value = value;
}
