/** What the devnet's page is told: every event of the run with its time, and for who comes late what still counts of them. */
import type { DevnetEvent } from "../events.ts";

/** Beside what the devnet tells everybody. */
export type PageOnlyEvent =
  /** Who is connected to whom; `mesh` where they are in each other's mesh of triggered exits. */
  | { event: "links"; links: { source: string; target: string; mesh: boolean }[] }
  /** A peer that is no node of the devnet. */
  | { event: "stranger"; name: string; peerId: string }
  | { event: "exit_requested"; validatorIndex: number; pubkey: string }
  | { event: "exit_failed"; validatorIndex: number; pubkey: string; code: string; message: string };

export type PageEvent = DevnetEvent | PageOnlyEvent;

/** `time`: Unix ms, of the clock that all processes of the devnet share. */
export type TimedPageEvent = PageEvent & { time: number };

interface Entry {
  readonly id: number;
  readonly text: string;
}

/**
 * Events kept that only happen once, such as verdicts: 400 bytes each, so that a page's first read stays below what a
 * stream may leave unread. The oldest are dropped: a page that comes later starts with the newest.
 */
export const MAX_RECENT_EVENTS = 2_000;

export class PageFeed {
  #lastId = 0;
  #finalizedEpoch = -1;
  /** The newest by what it is the state of: some entries a node. */
  readonly #states = new Map<string, Entry>();
  #recent: Entry[] = [];

  /** Returns what is to be sent. */
  add(event: TimedPageEvent): Entry {
    const entry = { id: ++this.#lastId, text: JSON.stringify(event) };
    const state = stateOf(event);
    if (state !== null) this.#states.set(state, entry);
    if (state === null || this.#isFirstOfEpoch(event)) this.#recent.push(entry);
    // Cut in halves: moving the array for each event would cost more.
    if (this.#recent.length > 2 * MAX_RECENT_EVENTS) this.#recent = this.#recent.slice(-MAX_RECENT_EVENTS);
    return entry;
  }

  /** Those after `lastId`, oldest first. */
  since(lastId: number): Entry[] {
    const kept = new Set([...this.#states.values(), ...this.#recent.slice(-MAX_RECENT_EVENTS)]);
    return [...kept].filter(({ id }) => id > lastId).sort((a, b) => a.id - b.id);
  }

  /** When an epoch became final is when its exits did: a state that the next epoch must not take away. */
  #isFirstOfEpoch(event: PageEvent): boolean {
    if (event.event !== "finalized" || event.epoch <= this.#finalizedEpoch) return false;
    this.#finalizedEpoch = event.epoch;
    return true;
  }
}

/** Null where an event happens and passes; else what it is the newest state of. */
function stateOf(event: PageEvent): string | null {
  switch (event.event) {
    case "network":
    case "ready":
    case "links":
    case "summary":
      return event.event;
    case "node_ready":
    case "node_exited":
      return `process ${event.node}`;
    case "stranger":
      return `stranger ${event.name}`;
    case "mesh":
      return `mesh ${event.node} ${event.topic}`;
    case "block":
    case "finalized":
    case "topics":
    case "execution":
      return `${event.event} ${event.node}`;
    default:
      return null;
  }
}
