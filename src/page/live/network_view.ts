/** The network as a graph, and one message's way through it: as it happens, and again in slow motion. */
import type { Point } from "../charts/chart.ts";
import { circleLayout, networkLayout } from "../charts/layout.ts";
import { mount } from "../charts/mount.ts";
import { type Graph, type GraphWay, networkGraph, networkMoment } from "../charts/network.ts";
import { card, h, setText } from "./dom.ts";
import type { NodeState } from "./facts.ts";
import type { Model } from "./model.ts";
import { byName, plural, shortPeerId } from "./text.ts";
import { type View, whenChanged } from "./view.ts";
import { WayPlayer } from "./way_player.ts";

/** Up to so many nodes are labelled, to their right: room that is kept free there, as a share of the width. */
const MAX_LABELLED = 60;
const LABEL_SHARE = 0.18;
/** Up to so many nodes stand on a circle, in the order of their names. */
const MAX_ON_CIRCLE = 16;

export interface NetworkView extends View {
  /** Calls with the name of a node that was chosen in the graph. */
  onChoose(listener: (name: string) => void): void;
}

export function networkView(): NetworkView {
  const box = h("div", { class: "graph" });
  const text = h("p", { class: "hint" });
  const player = new WayPlayer(drawMoment);
  const layout = new Layout();
  let graph: Graph = { nodes: [], links: [] };
  let drawn: Graph | null = null;
  const chart = mount(box, networkGraph(graph), "The network as a graph");

  function drawMoment(way: GraphWay | null): void {
    const { nodes, links } = graph;
    const next = { nodes, links, ...(way !== null && { way }) };
    // The legend comes and goes with a way; a moment alone is drawn faster.
    const isMoment = drawn?.nodes === nodes && drawn.links === links && (drawn.way === undefined) === (way === null);
    if (isMoment && way === null) return;
    chart.set(isMoment ? networkMoment(next) : networkGraph(next), summary(next));
    drawn = next;
  }

  const updateGraph = whenChanged((model) => {
    graph = layout.of(model);
    setText(text, summary(graph));
    if (drawn?.nodes !== graph.nodes || drawn.links !== graph.links) drawMoment(drawn?.way ?? null);
  });

  return {
    element: card("Network", box, text, player.element),
    onChoose: (listener) => chart.on("click", ({ name }) => name !== undefined && listener(name)),
    update(model) {
      updateGraph(model);
      player.update(model);
    },
  };
}

function summary({ nodes, links }: Graph): string {
  const mesh = links.filter(({ kind }) => kind === "mesh").length;
  return `${plural(nodes.length, "node")}, ${plural(links.length, "link")}, ${mesh} of them in the mesh of exits`;
}

/** Positions stay while the nodes are the same: finding them takes half a second for a thousand. */
class Layout {
  #names = "";
  #states = "";
  #links: Model["links"] = [];
  #points: readonly Point[] = [];
  #isPlaced = false;
  #graph: Graph = { nodes: [], links: [] };

  of(model: Model): Graph {
    const nodes = [...model.nodes.values()].sort((a, b) => byName(a.name, b.name));
    const names = nodes.map(({ name }) => name).join();
    const states = nodes.map(detailOf).join();
    const { links } = model;
    if (names === this.#names && states === this.#states && links === this.#links) return this.#graph;
    if (names !== this.#names || !this.#isPlaced) {
      const room = nodes.length <= MAX_LABELLED ? LABEL_SHARE : 0;
      this.#points = pointsOf(nodes, links).map(([x, y]) => [room / 4 + x * (1 - room), y]);
      this.#isPlaced = links.length > 0;
    }
    [this.#names, this.#states, this.#links] = [names, states, links];
    this.#graph = {
      nodes: nodes.map((node, k) => {
        const [x, y] = this.#points[k] ?? [0.5, 0.5];
        return { id: node.name, label: shortPeerId(node.name), kind: node.kind, detail: detailOf(node), x, y };
      }),
      links: links.map(({ source, target, mesh }) => ({ source, target, kind: mesh ? "mesh" : "connected" })),
    };
    return this.#graph;
  }
}

function pointsOf(nodes: readonly NodeState[], links: Model["links"]): Point[] {
  const self = nodes.findIndex(({ kind }) => kind === "self");
  if (self >= 0) {
    const around = circleLayout(nodes.length - 1);
    return nodes.map((_, k) => (k === self ? [0.5, 0.5] : (around[k < self ? k : k - 1] ?? [0.5, 0.5])));
  }
  // Without links there is nothing to place them by.
  if (nodes.length <= MAX_ON_CIRCLE || links.length === 0) return circleLayout(nodes.length);
  const indices = new Map(nodes.map(({ name }, k) => [name, k]));
  const pairs = links.flatMap(({ source, target }) => {
    const [a, b] = [indices.get(source), indices.get(target)];
    return a === undefined || b === undefined ? [] : [[a, b] as const];
  });
  return networkLayout(nodes.length, pairs);
}

function detailOf({ peerId, isRunning, kind, detail }: NodeState): string {
  const words = [
    detail,
    kind === "hostile" ? "a hostile peer" : "",
    isRunning ? "" : "not running",
    peerId === null ? "" : shortPeerId(peerId),
  ];
  return words.filter((word) => word !== "").join(", ");
}
