/** The live page: built once, then following what it is told. */
import { devnetPage } from "./devnet_page.ts";
import { h, setText } from "./dom.ts";
import { nodePage } from "./node_page.ts";
import type { ConnectionState } from "./source.ts";
import { every } from "./time.ts";
import type { View } from "./view.ts";

/** The eye follows no faster, and a busy network would otherwise keep the page drawing. */
const UPDATE_MS = 250;

const STATE_WORDS: Readonly<Record<ConnectionState, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "disconnected, trying again",
};
const STATE_CLASSES: Readonly<Record<ConnectionState, string>> = {
  connecting: "status muted",
  live: "status accept",
  lost: "status reject",
};

const page = document.documentElement.dataset.kind === "devnet" ? devnetPage() : nodePage();

const status = h("span", { role: "status" });
const main = h("main", { id: "main", tabindex: "-1" });
document.title = page.title;
document.body.append(
  h("a", { class: "skip-link", href: "#main" }, "To the content"),
  h("header", { class: "bar" }, h("h1", {}, page.title), page.subtitle, h("span", { class: "grow" }), status),
  main,
  h("footer", {}, "Figures are this page's own, from the events it was told and the metrics of the nodes."),
);
const views = page.layout.flatMap((row) => ("element" in row ? [row] : row.flat()));
main.append(...page.layout.flatMap((row) => ("element" in row ? [row.element] : row.map(column))));

function column(parts: readonly View[]): HTMLElement {
  return h("div", { class: "column" }, ...parts.map(({ element }) => element));
}

function setState(state: ConnectionState): void {
  status.className = STATE_CLASSES[state];
  setText(status, STATE_WORDS[state]);
}

function update(): void {
  if (document.hidden) return;
  page.update();
  for (const view of views) view.update(page.model);
}

setState("connecting");
page.connect(setState);
every(UPDATE_MS, update);
document.addEventListener("visibilitychange", () => {
  update();
  page.poll.now();
});
update();
page.poll.now();
