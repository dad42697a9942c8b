/** The network as a graph, and one message's way through it: as it happens, and again in slow motion. */

import type { Point } from "../charts/chart.ts";
import { circleLayout, networkLayout } from "../charts/layout.ts";
import { mount } from "../charts/mount.ts";
import { type Graph, networkGraph, networkMoment } from "../charts/network.ts";
import { card, h, newId, setText, table } from "./dom.ts";
import type { Message, Model, NodeState } from "./model.ts";
import { byName, duration, plural, shorten, shortPeerId } from "./text.ts";
import { type CancelTimer, eachFrame, nowMs } from "./time.ts";
import { RESULT_WORDS } from "./verdicts_view.ts";
import type { View } from "./view.ts";
import { momentOf, type Way, wayOf } from "./way.ts";

/** Messages to choose from: the newest. */
const CHOICES = 50;
/** A new message is shown moving when its verdicts have come in. */
const SETTLED_MS = 1_500;
/** How long a way takes when it is played, whatever it took. */
const PLAY_MS = 4_000;
/** Steps of the slider. */
const SLIDER_STEPS = 1_000;
/** Up to so many nodes are labelled, to their right: room that is kept free there, as a share of the width. */
const MAX_LABELLED = 60;
const LABEL_SHARE = 0.16;
/** Up to so many nodes stand on a circle, in the order of their names. */
const MAX_ON_CIRCLE = 16;

export interface NetworkView extends View {
  /** Calls with the name of a node that was chosen in the graph. */
  onChoose(listener: (name: string) => void): void;
}

export function networkView(): NetworkView {
  const box = h("div", { class: "graph" });
  const graphSummary = h("p", { class: "hint" });
  const choiceId = newId();
  const choice = h("select", { id: choiceId });
  const sliderId = newId();
  const slider = h("input", {
    id: sliderId,
    type: "range",
    min: "0",
    max: String(SLIDER_STEPS),
    value: String(SLIDER_STEPS),
  });
  const play = h("button", { type: "button" }, "Play");
  const followId = newId();
  const follow = h("input", { type: "checkbox", id: followId });
  follow.checked = true;
  const moment = h("p", { class: "hint" });
  const steps = table("The message's way", ["Node", "After", "Verdict", "Brought by"], ["After"]);
  const element = card(
    "Network",
    box,
    graphSummary,
    h("h3", {}, "A message's way"),
    h(
      "div",
      { class: "fields" },
      h("div", { class: "field grow" }, h("label", { for: choiceId }, "Message"), choice),
      play,
    ),
    h("div", { class: "field" }, h("label", { for: sliderId }, "Moment"), slider),
    h("div", {}, follow, h("label", { for: followId }, "Show each new message")),
    moment,
    steps.element,
  );

  let graph: Graph = { nodes: [], links: [] };
  const chart = mount(box, networkGraph(graph), "The network as a graph");
  const layout = new Layout();
  let way: Way | null = null;
  let shownRevision = -1;
  let shownKey: string | null = null;
  let newestSeen: string | null = null;
  let stopPlaying: CancelTimer | null = null;
  let model: Model | null = null;

  const share = () => Number(slider.value) / SLIDER_STEPS;

  function drawMoment(): void {
    if (way === null) return;
    const atMs = share() * way.durationMs;
    const isFirst = graph.way === undefined;
    graph = { ...graph, way: momentOf(way, atMs) };
    // The legend comes with the first way.
    chart.set(isFirst ? networkGraph(graph) : networkMoment(graph), summary(graph));
    const reached = Object.keys(graph.way?.reached ?? {}).length;
    const all = new Set(way.steps.map(({ node }) => node)).size;
    const text = `${duration(atMs)} after the first verdict: reached ${reached} of ${plural(all, "node")}`;
    setText(moment, text);
    slider.setAttribute("aria-valuetext", text);
  }

  function pause(): void {
    stopPlaying?.();
    stopPlaying = null;
    setText(play, "Play");
  }

  function start(): void {
    pause();
    if (share() >= 1) slider.value = "0";
    setText(play, "Pause");
    let position = share();
    stopPlaying = eachFrame((elapsedMs) => {
      position = Math.min(1, position + elapsedMs / PLAY_MS);
      slider.value = String(Math.round(position * SLIDER_STEPS));
      drawMoment();
      if (position >= 1) pause();
    });
  }

  function show(message: Message | null): void {
    shownKey = message?.key ?? null;
    way = message === null ? null : wayOf(message);
    slider.disabled = play.disabled = way === null;
    steps.set(
      (way?.steps ?? []).map(({ node, atMs, result, code, from, source }) => ({
        key: `${node} ${code}`,
        cells: [
          shortPeerId(node),
          { text: duration(atMs) },
          { text: `${RESULT_WORDS[result]} ${code}`, class: result },
          from === null ? sourceWords(source) : shortPeerId(from),
        ],
      })),
    );
    drawMoment();
  }

  play.addEventListener("click", () => (stopPlaying === null ? start() : pause()));
  slider.addEventListener("input", () => {
    pause();
    drawMoment();
  });
  choice.addEventListener("change", () => {
    pause();
    follow.checked = false;
    slider.value = String(SLIDER_STEPS);
    show(model?.messages.get(choice.value) ?? null);
  });

  function followNewest(messages: readonly Message[]): void {
    const newest = messages.at(-1);
    if (!follow.checked || newest === undefined || newest.key === newestSeen) return;
    if (nowMs() - newest.firstTimeMs < SETTLED_MS) return;
    newestSeen = newest.key;
    choice.value = newest.key;
    slider.value = String(SLIDER_STEPS);
    show(newest);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches && newest.hops.length > 1) {
      slider.value = "0";
      start();
    }
  }

  return {
    element,
    onChoose: (listener) => chart.on("click", ({ name }) => name !== undefined && listener(name)),
    update(current) {
      model = current;
      const judged = [...current.messages.values()].filter(({ hops }) => hops.length > 0);
      followNewest(judged);
      if (current.revision === shownRevision) return;
      shownRevision = current.revision;
      setChoices(choice, judged.slice(-CHOICES).reverse(), shownKey);
      const next = graphOf(current, layout);
      const isSame = graph.nodes === next.nodes && graph.links === next.links;
      graph = { ...next, ...(graph.way !== undefined && { way: graph.way }) };
      if (!isSame) chart.set(networkGraph(graph), summary(graph));
      setText(graphSummary, summary(graph));
      if (stopPlaying === null) show(shownKey === null ? null : (current.messages.get(shownKey) ?? null));
    },
  };
}

function setChoices(choice: HTMLSelectElement, messages: readonly Message[], chosen: string | null): void {
  const wanted = messages.map((message) => ({ value: message.key, text: choiceText(message) }));
  if (wanted.length === 0) wanted.push({ value: "", text: "no message yet" });
  while (choice.options.length > wanted.length) choice.options[choice.options.length - 1]?.remove();
  wanted.forEach(({ value, text }, k) => {
    const option = choice.options[k] ?? choice.appendChild(h("option"));
    if (option.value !== value) option.value = value;
    setText(option, text);
  });
  if (chosen !== null && choice.value !== chosen) choice.value = chosen;
}

function choiceText({ pubkey, messageIndex, kind, validatorIndex, hops }: Message): string {
  const what = (kind ?? "message").replaceAll("_", " ");
  const whose = validatorIndex === null ? shorten(pubkey) : `validator ${validatorIndex}`;
  const nodes = new Set(hops.map(({ node }) => node)).size;
  return `${whose}: ${what} ${messageIndex}, judged by ${plural(nodes, "node")}`;
}

function sourceWords(source: string): string {
  return source === "execution" ? "formed here" : source === "api" ? "submitted here" : source;
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

  of(nodes: readonly NodeState[], model: Model): Graph {
    const names = nodes.map(({ name }) => name).join();
    const states = nodes.map(detailOf).join();
    const { links } = model;
    if (names === this.#names && states === this.#states && links === this.#links) return this.#graph;
    if (names !== this.#names || !this.#isPlaced) {
      const width = nodes.length <= MAX_LABELLED ? 1 - LABEL_SHARE : 1;
      this.#points = pointsOf(nodes, links).map(([x, y]) => [x * width, y]);
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

function graphOf(model: Model, layout: Layout): Graph {
  const nodes = [...model.nodes.values()].sort((a, b) => byName(a.name, b.name));
  return layout.of(nodes, model);
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
