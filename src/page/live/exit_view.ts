/** The form that has an exit sent on the devnet, and each exit that was asked for, followed to its end. */
import { card, h, newId, setText } from "./dom.ts";
import type { ExitRequest, Message } from "./facts.ts";
import type { Model } from "./model.ts";
import { duration, plural, shorten } from "./text.ts";
import { type View, whenChanged } from "./view.ts";

/** Exits followed on the page: the newest. */
const FOLLOWED = 5;

const PUBKEY = /^0x[0-9a-f]{96}$/i;
const INDEX = /^\d{1,9}$/;

type StepState = "waiting" | "now" | "done" | "failed";

interface Step {
  readonly name: string;
  readonly doneMs: number | null;
  readonly detail: string;
}

export function exitView(): View {
  const inputId = newId();
  const hintId = newId();
  const problemId = newId();
  const input = h("input", {
    id: inputId,
    name: "validator",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": `${hintId} ${problemId}`,
  });
  const hint = h("p", { class: "hint", id: hintId });
  const problem = h("p", { class: "problem", id: problemId, role: "alert" });
  const button = h("button", { type: "submit", class: "main" }, "Send exit");
  const form = h(
    "form",
    {},
    h(
      "div",
      { class: "fields" },
      h("div", { class: "field grow" }, h("label", { for: inputId }, "Validator: index or public key"), input),
      button,
    ),
    hint,
    problem,
  );
  const list = h("ol", { class: "followed", "aria-label": "Exits that were asked for" });
  const news = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const element = card("Send an exit", form, list, news);
  const followed = new Map<string, FollowedExit>();
  let isSending = false;
  let suggested = "";
  let announced = "";

  function fail(text: string): void {
    setText(problem, text);
    input.setAttribute("aria-invalid", String(text !== ""));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });

  // What was wrong is said of the text that was sent.
  input.addEventListener("input", () => fail(""));

  async function submit(): Promise<void> {
    const value = input.value.trim();
    if (!INDEX.test(value) && !PUBKEY.test(value)) {
      fail("Give a validator's index, such as 20, or its public key: 0x and 96 hex digits.");
      input.focus();
      return;
    }
    // Not by disabling the button: the keyboard's place would be lost with it.
    if (isSending) return;
    isSending = true;
    const refusal = await requestExit(value);
    isSending = false;
    fail(refusal ?? "");
    if (refusal === null) suggested = input.value = "";
  }

  return {
    element,
    update: whenChanged((model) => {
      const next = String(nextFree(model) ?? "");
      // What the reader has typed stays.
      if (input.value === suggested && next !== suggested) suggested = input.value = next;
      if (model.network !== null) {
        setText(
          hint,
          `0 to ${model.network.validators - 1}. The devnet signs a real transaction from the validator's withdrawal ` +
            "address; the message takes every step that is shown here.",
        );
      }
      const requests = [...model.requests.values()].slice(-FOLLOWED).reverse();
      const shown = new Set(requests.map(({ pubkey }) => pubkey));
      for (const pubkey of followed.keys()) if (!shown.has(pubkey)) followed.delete(pubkey);
      const items = requests.map((request) => {
        const exit = followed.get(request.pubkey) ?? new FollowedExit();
        followed.set(request.pubkey, exit);
        exit.update(request, model);
        return exit.element;
      });
      if (items.length !== list.children.length || items.some((item, k) => list.children[k] !== item)) {
        list.replaceChildren(...items);
      }
      const newest = requests[0];
      const state = newest === undefined ? "" : (followed.get(newest.pubkey)?.state ?? "");
      if (state !== announced) setText(news, state);
      announced = state;
    }),
  };
}

/** Null when it is on its way, else why not. */
async function requestExit(value: string): Promise<string | null> {
  try {
    const response = await fetch("/devnet/v1/exits", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(INDEX.test(value) ? { validator_index: value } : { pubkey: value }),
    });
    if (response.ok) return null;
    const { message } = (await response.json()) as { message: string };
    return `Not sent: ${message}.`;
  } catch {
    return "Not sent: the devnet does not answer.";
  }
}

/** The lowest index that no message and no request has named. */
function nextFree({ network, requests, messages }: Model): number | null {
  if (network === null) return null;
  const taken = new Set([...requests.values(), ...messages.values()].map(({ validatorIndex }) => validatorIndex));
  for (let index = 0; index < network.validators; index++) if (!taken.has(index)) return index;
  return null;
}

class FollowedExit {
  readonly element: HTMLElement;
  /** For a screen reader. */
  state = "";
  readonly #title = h("h3");
  readonly #list = h("ol", { class: "steps" });
  readonly #rows: { item: HTMLElement; name: HTMLElement; detail: HTMLElement }[] = [];

  constructor() {
    this.element = h("li", {}, this.#title, this.#list);
  }

  update(request: ExitRequest, model: Model): void {
    setText(this.#title, `Validator ${request.validatorIndex}, ${shorten(request.pubkey)}`);
    const steps = stepsOf(request, model);
    const current = steps.findIndex(({ doneMs }) => doneMs === null);
    steps.forEach(({ name, doneMs, detail }, k) => {
      const row = this.#rows[k] ?? this.#addRow();
      const isFailed = k === current && request.failure !== null;
      const state: StepState = doneMs !== null ? "done" : isFailed ? "failed" : k === current ? "now" : "waiting";
      row.item.dataset.state = state;
      setText(row.name, name);
      const after = doneMs === null ? "" : ` after ${duration(Math.max(0, doneMs - request.timeMs))}`;
      const words = { done: `${detail}${k === 0 ? "" : after}`, failed: detail, now: detail || "…", waiting: "" };
      setText(row.detail, words[state]);
    });
    const done = steps.filter(({ doneMs }) => doneMs !== null).at(-1);
    this.state = `Exit of validator ${request.validatorIndex}: ${request.failure?.message ?? done?.name ?? ""}`;
  }

  #addRow() {
    const [name, detail] = [h("span"), h("span", { class: "muted" })];
    const row = { item: h("li", {}, name, detail), name, detail };
    this.#rows.push(row);
    this.#list.append(row.item);
    return row;
  }
}

function stepsOf(request: ExitRequest, model: Model): Step[] {
  const message = newerThan(request, model.messageOf(request.pubkey));
  const nodes = [...model.nodes.values()].filter(({ kind, isRunning }) => kind === "node" && isRunning).length;
  const haveIt = message === null ? [] : nodesThatHave(message);
  // A node that has the block first says EXIT_INITIATED.
  const isWhole = haveIt.length >= nodes || (message?.included ?? null) !== null;
  const whole = isWhole ? (haveIt.at(-1)?.timeMs ?? null) : null;
  const transaction = message?.transaction ?? null;
  return [
    { name: "Asked for", doneMs: request.timeMs, detail: "on this devnet's page" },
    {
      name: "Transaction",
      doneMs: transaction?.timeMs ?? null,
      detail:
        transaction === null
          ? (request.failure?.message ?? "waits for an execution block")
          : `${shorten(transaction.hash)} in execution block ${transaction.block}, message ${message?.messageIndex}`,
    },
    {
      name: "Operation",
      doneMs: message?.firstFormedMs ?? null,
      detail: message === null ? "" : `formed with its proof by ${plural(message.formedBy.size, "node")}`,
    },
    {
      name: "Verdicts",
      doneMs: whole,
      detail: `ACCEPT at ${haveIt.length} of ${plural(nodes, "node")}${rejections(message)}`,
    },
    {
      name: "In a block",
      doneMs: message?.included?.timeMs ?? null,
      detail: message?.included ? `slot ${message.included.slot}` : "waits for a proposer",
    },
    {
      name: "Exit begins",
      doneMs: message?.exit?.timeMs ?? null,
      detail: message?.exit ? `the validator leaves at epoch ${message.exit.epoch}` : "",
    },
    {
      name: "Final",
      doneMs: message?.finalMs ?? null,
      detail: message?.finalMs ? "its block is finalized" : `finalized is epoch ${model.finalizedEpoch ?? "–"}`,
    },
  ];
}

/** An older message of this validator is not the one that was asked for. */
function newerThan({ timeMs }: ExitRequest, message: Message | null): Message | null {
  return message !== null && message.firstTimeMs >= timeMs ? message : null;
}

function nodesThatHave({ hops }: Message): { node: string; timeMs: number }[] {
  const firsts = new Map<string, number>();
  for (const { node, result, timeMs } of hops) if (result === "accept" && !firsts.has(node)) firsts.set(node, timeMs);
  return [...firsts].map(([node, timeMs]) => ({ node, timeMs })).sort((a, b) => a.timeMs - b.timeMs);
}

function rejections(message: Message | null): string {
  const codes = new Set(message?.hops.filter(({ result }) => result === "reject").map(({ code }) => code));
  return codes.size === 0 ? "" : `, rejected as ${[...codes].join(", ")}`;
}
