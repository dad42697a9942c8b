/** The controls of a message's way: which message, which moment of it, and its steps as a table. */
import type { GraphWay } from "../charts/network.ts";
import { PLAY_MS, shownShare, wantsNoMotion } from "../charts/playing.ts";
import { h, newId, setText, table } from "./dom.ts";
import type { Message } from "./facts.ts";
import type { Model } from "./model.ts";
import { duration, plural, shorten, shortPeerId } from "./text.ts";
import { type CancelTimer, eachFrame, nowMs } from "./time.ts";
import { RESULT_WORDS } from "./verdicts_view.ts";
import { momentOf, type Way, type WayStep, wayOf } from "./way.ts";

/** Messages to choose from: the newest. */
const CHOICES = 50;
/** A new message is shown moving when its verdicts have come in. */
const SETTLED_MS = 1_500;

export class WayPlayer {
  readonly element: HTMLElement;
  readonly #onMoment: (moment: GraphWay | null) => void;
  readonly #choice = h("select", { id: newId() });
  readonly #play = h("button", { type: "button" }, "Play");
  readonly #slider = h("input", { id: newId(), type: "range", min: "0", max: "1", step: "0.001", value: "1" });
  readonly #follow = h("input", { id: newId(), type: "checkbox" });
  readonly #text = h("p", { class: "hint" });
  readonly #steps = table("The message's way", ["Node", "After", "Verdict", "Brought by"], ["After"]);
  #model: Model | null = null;
  #revision = -1;
  #shownKey: string | null = null;
  #newestSeen: Message | null = null;
  #way: Way | null = null;
  /** What `#way` was made of. */
  #made: { readonly message: Message | undefined; readonly hops: number } | null = null;
  #stopPlaying: CancelTimer | null = null;

  /** @param onMoment is called when another moment is to be drawn; null where there is no message. */
  constructor(onMoment: (moment: GraphWay | null) => void) {
    this.#onMoment = onMoment;
    this.#follow.checked = true;
    this.element = h(
      "div",
      { class: "player" },
      h("h3", {}, "A message's way"),
      h("div", { class: "fields" }, labelled("Message", this.#choice, "field grow"), this.#play),
      labelled("Moment", this.#slider, "field"),
      h("div", {}, this.#follow, h("label", { for: this.#follow.id }, "Show each new message")),
      this.#text,
      this.#steps.element,
    );
    this.#play.addEventListener("click", () => (this.#stopPlaying === null ? this.#start() : this.#pause()));
    this.#slider.addEventListener("input", () => {
      this.#pause();
      this.#draw();
    });
    this.#choice.addEventListener("change", () => {
      this.#follow.checked = false;
      this.#show(this.#choice.value);
    });
  }

  update(model: Model): void {
    this.#model = model;
    const judged = [...model.messages.values()].filter(({ hops }) => hops.length > 0);
    this.#followNewest(judged);
    if (model.revision === this.#revision) return;
    this.#revision = model.revision;
    setChoices(this.#choice, judged.slice(-CHOICES).reverse(), this.#shownKey);
    const message = this.#shownMessage();
    const isSame = this.#made?.message === message && this.#made?.hops === (message?.hops.length ?? 0);
    if (this.#stopPlaying === null && !isSame) this.#refresh();
  }

  #followNewest(messages: readonly Message[]): void {
    const newest = messages.at(-1);
    if (!this.#follow.checked || newest === undefined || newest === this.#newestSeen) return;
    if (nowMs() - newest.firstTimeMs < SETTLED_MS) return;
    this.#newestSeen = newest;
    this.#choice.value = newest.key;
    this.#show(newest.key);
    if (wantsNoMotion() || newest.hops.length < 2) return;
    this.#start();
  }

  /** As it stands now. */
  #show(key: string): void {
    this.#pause();
    this.#shownKey = key;
    this.#slider.value = "1";
    this.#refresh();
  }

  #shownMessage(): Message | undefined {
    return this.#shownKey === null ? undefined : this.#model?.messages.get(this.#shownKey);
  }

  #refresh(): void {
    const message = this.#shownMessage();
    this.#made = { message, hops: message?.hops.length ?? 0 };
    this.#way = message === undefined ? null : wayOf(message);
    this.#slider.disabled = this.#play.disabled = this.#way === null;
    this.#steps.set((this.#way?.steps ?? []).map(stepRow));
    this.#draw();
  }

  #draw(): void {
    const way = this.#way;
    if (way === null) {
      this.#onMoment(null);
      return;
    }
    const moment = momentOf(way, Number(this.#slider.value) * way.durationMs);
    this.#onMoment(moment);
    const reached = Object.keys(moment.reached).length;
    const all = new Set(way.steps.map(({ node }) => node)).size;
    const text = `${duration(moment.atMs)} after the first verdict: reached ${reached} of ${plural(all, "node")}`;
    setText(this.#text, text);
    this.#slider.setAttribute("aria-valuetext", text);
  }

  #pause(): void {
    this.#stopPlaying?.();
    this.#stopPlaying = null;
    setText(this.#play, "Play");
  }

  #start(): void {
    let position = Number(this.#slider.value);
    if (position >= 1) position = 0;
    setText(this.#play, "Pause");
    this.#stopPlaying = eachFrame((elapsedMs) => {
      position = Math.min(1, position + elapsedMs / PLAY_MS);
      const shown = String(shownShare(position));
      if (this.#slider.value !== shown) {
        this.#slider.value = shown;
        this.#draw();
      }
      if (position >= 1) this.#pause();
    });
  }
}

function labelled(label: string, control: HTMLElement, className: string): HTMLElement {
  return h("div", { class: className }, h("label", { for: control.id }, label), control);
}

function stepRow({ node, atMs, result, code, from, source }: WayStep) {
  return {
    key: `${node} ${code}`,
    cells: [
      shortPeerId(node),
      { text: duration(atMs) },
      { text: `${RESULT_WORDS[result]} ${code}`, class: result },
      from === null ? sourceWords(source) : shortPeerId(from),
    ],
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
