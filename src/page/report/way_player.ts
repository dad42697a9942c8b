/** One message's way through the network: chosen, played, or stepped through by hand. */
import { numberText, type Point } from "../charts/chart.ts";
import { dataTable } from "../charts/data_table.ts";
import { networkLayout, type Step, timeLayout } from "../charts/layout.ts";
import { type MountedChart, mount } from "../charts/mount.ts";
import { networkGraph, networkMoment, wayTable } from "../charts/network.ts";
import { PLAY_MS, shownShare } from "../charts/playing.ts";
import type { RunPage, Way } from "./data.ts";
import { lastMsOf, medianWay, stepsOf, type WayLayout, type WayMoment, wayGraph, wayText } from "./way_graph.ts";

const TITLE = "One message's way";

const LAYOUTS: readonly { readonly layout: WayLayout; readonly text: string }[] = [
  { layout: "time", text: "distance is time" },
  { layout: "network", text: "the network" },
];

export function addWayPlayer(parent: HTMLElement, page: RunPage): void {
  const section = document.createElement("section");
  section.className = "card wide";
  section.setAttribute("aria-label", TITLE);
  section.append(textElement("h2", TITLE));
  parent.append(section);
  const way = medianWay(page.picture.ways);
  if (way === null) section.append(textElement("p", "Nothing was published."));
  else new WayPlayer(section, page, way);
}

interface Playing {
  readonly fromMs: number;
  /** Of the page; null until the first frame. */
  startedAt: number | null;
}

class WayPlayer {
  readonly #page: RunPage;
  readonly #messages: HTMLSelectElement;
  readonly #layouts = selectOf(LAYOUTS.map(({ text }) => text));
  readonly #play = document.createElement("button");
  readonly #slider = document.createElement("input");
  readonly #told = document.createElement("output");
  readonly #chart: MountedChart;
  #way: Way;
  #steps: readonly Step[];
  #atMs: number;
  #points: readonly Point[] = [];
  /** Made when it is first asked for: it takes a moment. */
  #networkPoints: readonly Point[] | null = null;
  #playing: Playing | null = null;

  constructor(section: HTMLElement, page: RunPage, way: Way) {
    const { ways } = page.picture;
    this.#page = page;
    this.#way = way;
    this.#steps = stepsOf(way);
    this.#atMs = lastMsOf(this.#steps);
    this.#messages = selectOf(ways.map(wayText));
    this.#messages.selectedIndex = ways.indexOf(way);
    const box = this.#build(section);
    this.#chart = mount(box, {}, "");
    this.#listen(box);
    this.#drawAll();
  }

  /** Returns the graph's box. */
  #build(section: HTMLElement): HTMLElement {
    this.#play.type = "button";
    Object.assign(this.#slider, { type: "range", min: "0", step: "any" });
    const controls = document.createElement("div");
    controls.className = "fields";
    controls.append(
      labelled("Message", this.#messages),
      labelled("Layout", this.#layouts),
      this.#play,
      labelled("Time", this.#slider),
      this.#told,
    );
    const box = document.createElement("div");
    box.className = "graph";
    box.tabIndex = 0;
    const hint = textElement(
      "p",
      "With the picture in focus: space plays and pauses, the arrow keys go from delivery to delivery. Point at a node to read when it had the message.",
    );
    hint.className = "hint";
    const table = dataTable(TITLE, () => wayTable(wayGraph(this.#page, this.#moment())));
    section.append(controls, box, hint, table);
    return box;
  }

  #listen(box: HTMLElement): void {
    this.#messages.addEventListener("change", () => {
      this.#way = this.#page.picture.ways[this.#messages.selectedIndex] ?? this.#way;
      this.#steps = stepsOf(this.#way);
      this.#atMs = lastMsOf(this.#steps);
      this.#pause();
      this.#drawAll();
    });
    this.#layouts.addEventListener("change", () => this.#drawAll());
    this.#play.addEventListener("click", () => this.#toggle());
    this.#slider.addEventListener("input", () => this.#stopAt(Number(this.#slider.value)));
    box.addEventListener("keydown", (event) => {
      if (event.key === " ") this.#toggle();
      else if (event.key === "ArrowRight") this.#stepTo(this.#steps.find(({ ms }) => ms > this.#atMs));
      else if (event.key === "ArrowLeft") this.#stepTo(this.#steps.findLast(({ ms }) => ms < this.#atMs));
      else return;
      event.preventDefault();
    });
  }

  #layout(): WayLayout {
    return LAYOUTS[this.#layouts.selectedIndex]?.layout ?? "time";
  }

  #moment(): WayMoment {
    return {
      way: this.#way,
      steps: this.#steps,
      layout: this.#layout(),
      points: this.#points,
      atMs: this.#atMs,
    };
  }

  /** What another message or layout changes. */
  #drawAll(): void {
    const { nodes, links } = this.#page;
    if (this.#layout() === "time") {
      this.#points = timeLayout(nodes.length, this.#way.publisher, this.#steps);
    } else {
      this.#networkPoints ??= networkLayout(nodes.length, links);
      this.#points = this.#networkPoints;
    }
    this.#slider.max = String(lastMsOf(this.#steps));
    const label = `${TITLE}: message ${wayText(this.#way)}`;
    this.#chart.set(networkGraph(wayGraph(this.#page, this.#moment())), label);
    this.#tell();
  }

  #moveTo(ms: number): void {
    this.#atMs = Math.min(lastMsOf(this.#steps), Math.max(0, ms));
    this.#chart.set(networkMoment(wayGraph(this.#page, this.#moment())));
    this.#tell();
  }

  #stopAt(ms: number): void {
    this.#pause();
    this.#moveTo(ms);
  }

  #stepTo(step: Step | undefined): void {
    if (step !== undefined) this.#stopAt(step.ms);
  }

  #tell(): void {
    const reached = this.#steps.filter(({ ms }) => ms <= this.#atMs).length;
    const at = `${numberText(Number(this.#atMs.toFixed(1)))} ms`;
    this.#told.textContent = `${at}: ${reached} of ${this.#page.nodes.length - 1} nodes`;
    this.#slider.value = String(this.#atMs);
    this.#slider.setAttribute("aria-valuetext", at);
    this.#play.textContent = this.#playing === null ? "Play" : "Pause";
  }

  #toggle(): void {
    if (this.#playing !== null) {
      this.#pause();
      return;
    }
    const fromMs = this.#atMs >= lastMsOf(this.#steps) ? 0 : this.#atMs;
    const playing: Playing = { fromMs, startedAt: null };
    this.#playing = playing;
    // Not sixty times a second.
    this.#told.setAttribute("aria-live", "off");
    this.#moveTo(fromMs);
    requestAnimationFrame((now) => this.#frame(playing, now));
  }

  #pause(): void {
    this.#playing = null;
    this.#told.setAttribute("aria-live", "polite");
    this.#tell();
  }

  #frame(playing: Playing, now: number): void {
    // Paused, and perhaps begun again since this frame was asked for.
    if (this.#playing !== playing) return;
    playing.startedAt ??= now;
    const share = Math.min(1, (now - playing.startedAt) / PLAY_MS);
    const ms = playing.fromMs + shownShare(share) * (lastMsOf(this.#steps) - playing.fromMs);
    if (ms !== this.#atMs) this.#moveTo(ms);
    if (share === 1) this.#pause();
    else requestAnimationFrame((next) => this.#frame(playing, next));
  }
}

function textElement(tag: "h2" | "p", text: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function selectOf(options: readonly string[]): HTMLSelectElement {
  const select = document.createElement("select");
  for (const text of options) select.add(new Option(text));
  return select;
}

function labelled(text: string, control: HTMLElement): HTMLLabelElement {
  const label = document.createElement("label");
  label.className = control instanceof HTMLInputElement ? "field grow" : "field";
  label.append(`${text} `, control);
  return label;
}
