/** One message's way through the network: chosen, played, or stepped through by hand. */
import { numberText, type Point } from "../charts/chart.ts";
import { dataTable } from "../charts/data_table.ts";
import { networkLayout, type Step, timeLayout, timeRing } from "../charts/layout.ts";
import { mount } from "../charts/mount.ts";
import { type Graph, networkGraph, networkMoment, wayTable } from "../charts/network.ts";
import type { RunPage, Way } from "./data.ts";

/** Of the page, however long the message took. */
const PLAY_MS = 4_000;
/** In how many pictures a way is played to those who want no motion. */
const STILL_PICTURES = 8;
const RINGS = 4;

const LAYOUTS = ["time", "network"] as const;

export function addWayPlayer(parent: HTMLElement, { nodes, links, picture: { ways } }: RunPage): void {
  const section = document.createElement("section");
  section.className = "card wide";
  const heading = document.createElement("h2");
  heading.textContent = "One message's way";
  section.append(heading);
  parent.append(section);
  const [fallback] = ways;
  if (fallback === undefined) {
    const text = document.createElement("p");
    text.textContent = "Nothing was published.";
    section.append(text);
    return;
  }

  const messages = selectOf(ways.map(wayText));
  const layouts = selectOf(["distance is time", "the network"]);
  const play = document.createElement("button");
  play.type = "button";
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.step = "any";
  const told = document.createElement("output");
  const controls = document.createElement("div");
  controls.className = "fields";
  controls.append(labelled("Message", messages), labelled("Layout", layouts), play, labelled("Time", slider), told);
  const box = document.createElement("div");
  box.className = "graph";
  box.tabIndex = 0;
  const help = document.createElement("p");
  help.className = "hint";
  help.textContent =
    "With the picture in focus: space plays and pauses, the arrow keys go from delivery to delivery. Point at a node to read when it had the message and from whom.";
  section.append(controls, box, help);

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let way: Way = ways[medianIndex(ways)] ?? fallback;
  let steps = stepsOf(way);
  let atMs = lastMs();
  let networkPoints: Point[] | null = null;
  let points: readonly Point[] = [];
  let startedAt: number | null = null;
  let startedFromMs = 0;
  messages.selectedIndex = ways.indexOf(way);

  function lastMs(): number {
    return steps.at(-1)?.ms ?? 0;
  }

  function graph(): Graph {
    const rings =
      layoutName() === "time" && lastMs() > 0
        ? Array.from({ length: RINGS }, (_, k) => {
            const ms = (lastMs() * (k + 1)) / RINGS;
            return { label: `${numberText(Number(ms.toPrecision(3)))} ms`, points: timeRing(ms, lastMs()) };
          })
        : [];
    return {
      nodes: nodes.map((peerId, k) => {
        const [x, y] = points[k] ?? [0.5, 0.5];
        return { id: String(k), label: String(k), kind: "node", detail: peerId, x, y };
      }),
      // In the picture of time, links that the message did not take would hide those that it took.
      links:
        layoutName() === "time"
          ? []
          : links.map(([a, b]) => ({ source: String(a), target: String(b), kind: "connected" as const })),
      rings,
      way: {
        atMs,
        reached: Object.fromEntries([
          [way.publisher, { atMs: 0, result: "formed" as const }],
          ...steps.map(({ node, ms }) => [node, { atMs: ms, result: "accept" as const }]),
        ]),
        links: steps.map(({ node, from, ms }) => ({ source: String(from), target: String(node), atMs: ms })),
      },
    };
  }

  function layoutName(): (typeof LAYOUTS)[number] {
    return LAYOUTS[layouts.selectedIndex] ?? "time";
  }

  function place(): void {
    if (layoutName() === "time") {
      points = timeLayout(nodes.length, way.publisher, steps);
      return;
    }
    networkPoints ??= networkLayout(nodes.length, links);
    points = networkPoints;
  }

  function tell(): void {
    const reached = steps.filter(({ ms }) => ms <= atMs).length;
    told.textContent = `${numberText(Number(atMs.toFixed(1)))} ms: ${reached} of ${nodes.length - 1} nodes`;
    slider.value = String(atMs);
    play.textContent = startedAt === null ? "Play" : "Pause";
  }

  function drawAll(): void {
    slider.max = String(lastMs());
    slider.setAttribute("aria-valuetext", `${numberText(atMs)} ms`);
    chart.set(networkGraph(graph()), `The way of message ${way.message}: ${wayText(way)}`);
    tell();
  }

  function moveTo(ms: number): void {
    atMs = Math.min(lastMs(), Math.max(0, ms));
    slider.setAttribute("aria-valuetext", `${numberText(atMs)} ms`);
    chart.set(networkMoment(graph()));
    tell();
  }

  function pause(): void {
    startedAt = null;
    // Told when it stands still, not sixty times a second.
    told.setAttribute("aria-live", "polite");
    tell();
  }

  function frame(now: number): void {
    if (startedAt === null) return;
    if (startedAt === 0) startedAt = now;
    const share = Math.min(1, (now - startedAt) / PLAY_MS);
    const shown = still.matches ? Math.floor(share * STILL_PICTURES) / STILL_PICTURES : share;
    const ms = startedFromMs + shown * (lastMs() - startedFromMs);
    if (ms !== atMs) moveTo(ms);
    if (share === 1) pause();
    else requestAnimationFrame(frame);
  }

  function toggle(): void {
    if (startedAt !== null) {
      pause();
      return;
    }
    startedFromMs = atMs >= lastMs() ? 0 : atMs;
    // The first frame says when it begins.
    startedAt = 0;
    told.setAttribute("aria-live", "off");
    moveTo(startedFromMs);
    requestAnimationFrame(frame);
  }

  place();
  const chart = mount(box, {}, "");
  section.append(dataTable("One message's way", () => wayTable(graph())));
  messages.addEventListener("change", () => {
    way = ways[messages.selectedIndex] ?? fallback;
    steps = stepsOf(way);
    atMs = lastMs();
    pause();
    place();
    drawAll();
  });
  layouts.addEventListener("change", () => {
    place();
    drawAll();
  });
  play.addEventListener("click", toggle);
  slider.addEventListener("input", () => {
    const ms = Number(slider.value);
    pause();
    moveTo(ms);
  });
  box.addEventListener("keydown", (event) => {
    const next = steps.find(({ ms }) => ms > atMs)?.ms ?? lastMs();
    const before = steps.findLast(({ ms }) => ms < atMs)?.ms ?? 0;
    if (event.key === " ") toggle();
    else if (event.key === "ArrowRight") moveTo(next);
    else if (event.key === "ArrowLeft") moveTo(before);
    else return;
    event.preventDefault();
  });
  drawAll();
}

function stepsOf({ deliveries }: Way): Step[] {
  return Array.from({ length: deliveries.length / 3 }, (_, k) => ({
    node: deliveries[3 * k] ?? 0,
    from: deliveries[3 * k + 1] ?? 0,
    ms: (deliveries[3 * k + 2] ?? 0) / 1000,
  }));
}

function wayText({ message, deliveries }: Way): string {
  return `${message}: ${deliveries.length / 3} nodes in ${numberText((deliveries.at(-1) ?? 0) / 1000)} ms`;
}

/** The message whose way took neither long nor short. */
function medianIndex(ways: readonly Way[]): number {
  const order = ways
    .map((_, k) => k)
    .sort((a, b) => (ways[a]?.deliveries.at(-1) ?? 0) - (ways[b]?.deliveries.at(-1) ?? 0));
  return order[Math.floor(order.length / 2)] ?? 0;
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
