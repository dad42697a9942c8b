/** What the page knows, from the events it was told: bounded, so that a page may stay open for days. */
import type { LinkOfFeed, TimedEvent, VerdictEvent, VerdictResult } from "./events.ts";
import type { CodeCount, ExitRequest, Message, NetworkFacts, NodeKind, NodeState, VerdictLine } from "./facts.ts";

/** Messages whose way can be shown; the oldest is forgotten. */
export const MAX_MESSAGES = 300;
/** Judgements of one message that are kept: two of each node of the largest network. */
const MAX_HOPS = 2_000;
/** Verdicts in the list; the oldest falls out. */
export const MAX_VERDICTS = 200;
/** Nodes, and peers that were met as senders. More are not shown. */
const MAX_NODES = 2_000;
/** Exits that somebody asked for on the page. */
const MAX_REQUESTS = 100;

/** Verdicts are counted by so many milliseconds, for the last so many bins. */
export const BIN_MS = 5_000;
export const BINS = 48;

/** The events of these names. */
type Named<Name extends TimedEvent["event"]> = Extract<TimedEvent, { event: Name }>;

export class Model {
  network: NetworkFacts | null = null;
  readonly nodes = new Map<string, NodeState>();
  links: readonly LinkOfFeed[] = [];
  readonly messages = new Map<string, Message>();
  readonly requests = new Map<string, ExitRequest>();
  /** Newest last. */
  readonly verdicts: VerdictLine[] = [];
  readonly codes = new Map<string, CodeCount>();
  verdictCount = 0;
  /** Grows with every event. */
  revision = 0;
  readonly #names = new Map<string, string>();

  /** A feed that begins anew. */
  reset(): void {
    this.network = null;
    this.links = [];
    for (const part of [this.nodes, this.messages, this.requests, this.codes, this.#names]) part.clear();
    this.verdicts.length = 0;
    this.verdictCount = 0;
    this.revision++;
  }

  apply(event: TimedEvent): void {
    this.revision++;
    switch (event.event) {
      case "network":
        this.network = event;
        return;
      case "node_ready":
      case "node_exited":
      case "mesh":
      case "block":
        this.#onNode(event);
        return;
      case "stranger":
        this.name(event.peerId, event.name);
        return;
      case "links":
        this.links = event.links;
        for (const { source, target } of event.links) for (const name of [source, target]) this.#node(name);
        return;
      case "exit_requested":
        this.#onRequested(event);
        return;
      case "exit_failed": {
        const request = this.requests.get(event.pubkey);
        if (request !== undefined) request.failure = { code: event.code, message: event.message };
        return;
      }
      case "message_sent":
      case "operation_formed":
        this.#onMessage(event);
        return;
      case "verdict":
        this.#onVerdict(event, event.time);
        return;
      case "included":
      case "exit_initiated":
        this.#onChain(event);
        return;
      case "finalized":
        this.#onFinalized(event.node, event.epoch, event.time);
        return;
    }
  }

  /** Of a peer id from now on. */
  name(peerId: string, name: string): void {
    if (this.#names.size < MAX_NODES) this.#names.set(peerId, name);
  }

  nameOf(peerId: string): string {
    return this.#names.get(peerId) ?? peerId;
  }

  /** The peers of a page's own node, instead of those it had. */
  setPeers(self: string, peers: readonly { name: string; detail: string; mesh: boolean }[]): void {
    const links = peers.map(({ name, mesh }) => ({ source: self, target: name, mesh }));
    const isSame =
      links.length === this.links.length &&
      links.every(({ target, mesh }, k) => this.links[k]?.target === target && this.links[k]?.mesh === mesh);
    if (isSame) return;
    const names = new Set(peers.map(({ name }) => name));
    for (const { kind, name } of this.nodes.values()) if (kind === "peer" && !names.has(name)) this.nodes.delete(name);
    for (const { name, detail } of peers) {
      const node = this.#node(name, "peer");
      if (node !== null) node.detail = detail;
    }
    this.links = links;
    this.revision++;
  }

  addNode(name: string, kind: NodeKind): NodeState | null {
    return this.#node(name, kind);
  }

  forgetHead(name: string): void {
    const node = this.nodes.get(name);
    if (node !== undefined) Object.assign(node, { headSlot: null, headRoot: null });
  }

  /** The highest slot, and how many running nodes have that very block as theirs. */
  get head(): { slot: number; root: string; nodes: number } | null {
    let best: NodeState | null = null;
    for (const node of this.nodes.values()) if ((node.headSlot ?? -1) > (best?.headSlot ?? -1)) best = node;
    if (best === null || best.headSlot === null || best.headRoot === null) return null;
    let nodes = 0;
    for (const { headRoot, isRunning } of this.nodes.values()) if (isRunning && headRoot === best.headRoot) nodes++;
    return { slot: best.headSlot, root: best.headRoot, nodes };
  }

  /** Milliseconds from each message's first ACCEPT to every other node's that gossip brought it to. */
  delays(): number[] {
    const delays: number[] = [];
    for (const { hops } of this.messages.values()) {
      let firstMs = Number.POSITIVE_INFINITY;
      for (const { result, timeMs } of hops) if (result === "accept") firstMs = Math.min(firstMs, timeMs);
      for (const { result, source, timeMs } of hops) {
        if (result === "accept" && source === "gossip") delays.push(timeMs - firstMs);
      }
    }
    return delays;
  }

  get finalizedEpoch(): number | null {
    let best: number | null = null;
    for (const { finalizedEpoch } of this.nodes.values()) {
      if (finalizedEpoch !== null && finalizedEpoch > (best ?? -1)) best = finalizedEpoch;
    }
    return best;
  }

  /** Null where nothing has told. */
  validatorOf(pubkey: string): number | null {
    const known = this.requests.get(pubkey)?.validatorIndex;
    if (known !== undefined) return known;
    for (const message of this.messages.values()) {
      if (message.pubkey === pubkey && message.validatorIndex !== null) return message.validatorIndex;
    }
    return null;
  }

  /** The newest message of the pubkey that some node accepted. */
  acceptedMessageOf(pubkey: string): Message | null {
    let found: Message | null = null;
    for (const message of this.messages.values()) {
      if (message.pubkey === pubkey && message.hops.some(({ result }) => result === "accept")) found = message;
    }
    return found;
  }

  /** The newest message of the pubkey, judged or not, that was sent as an exit. */
  messageOf(pubkey: string): Message | null {
    let found: Message | null = null;
    for (const message of this.messages.values()) if (message.pubkey === pubkey) found = message;
    return this.acceptedMessageOf(pubkey) ?? found;
  }

  #node(name: string, kind?: NodeKind): NodeState | null {
    const known = this.nodes.get(name);
    if (known !== undefined) return known;
    if (this.nodes.size >= MAX_NODES) return null;
    const node: NodeState = {
      name,
      kind: kind ?? (name === "hostile" ? "hostile" : name === "observer" ? "peer" : "node"),
      detail: "",
      peerId: null,
      pageUrl: null,
      isRunning: true,
      headSlot: null,
      headRoot: null,
      finalizedEpoch: null,
      meshPeers: null,
    };
    this.nodes.set(name, node);
    return node;
  }

  #message(pubkey: string, messageIndex: string, timeMs: number): Message {
    const key = `${pubkey}/${messageIndex}`;
    const known = this.messages.get(key);
    if (known !== undefined) return known;
    const message: Message = {
      key,
      pubkey,
      messageIndex,
      firstTimeMs: timeMs,
      kind: null,
      validatorIndex: this.validatorOf(pubkey),
      transaction: null,
      formedBy: new Set(),
      firstFormedMs: null,
      hops: [],
      included: null,
      exit: null,
      finalMs: null,
    };
    this.messages.set(key, message);
    dropOldest(this.messages, MAX_MESSAGES);
    return message;
  }

  #onNode(event: Named<"node_ready" | "node_exited" | "mesh" | "block">): void {
    const node = this.#node(event.node);
    if (node === null) return;
    switch (event.event) {
      case "node_ready":
        Object.assign(node, { peerId: event.peerId, pageUrl: event.pageUrl, isRunning: true });
        this.name(event.peerId, event.node);
        return;
      case "node_exited":
        Object.assign(node, { isRunning: false, meshPeers: null });
        return;
      case "mesh":
        if (event.topic === "triggered_exit") node.meshPeers = event.peers;
        return;
      case "block":
        if ((node.headSlot ?? -1) <= event.slot)
          Object.assign(node, { headSlot: event.slot, headRoot: event.blockRoot });
        return;
    }
  }

  #onMessage(event: Named<"message_sent" | "operation_formed">): void {
    const message = this.#message(event.pubkey, event.messageIndex, event.time);
    if (event.event === "operation_formed") {
      message.formedBy.add(event.node);
      message.firstFormedMs = Math.min(message.firstFormedMs ?? event.time, event.time);
      return;
    }
    message.kind = event.kind;
    message.validatorIndex = event.validatorIndex;
    message.transaction ??= { hash: event.transactionHash, block: event.blockNumber, timeMs: event.time };
  }

  #onChain(event: Named<"included" | "exit_initiated">): void {
    if (event.event === "exit_initiated") {
      const message = this.acceptedMessageOf(event.pubkey);
      if (message === null) return;
      message.validatorIndex ??= event.validatorIndex;
      if (message.exit?.epoch !== event.exitEpoch) message.exit = { epoch: event.exitEpoch, timeMs: event.time };
      return;
    }
    for (const pubkey of event.pubkeys) {
      const message = this.acceptedMessageOf(pubkey);
      // Every node tells; a reorg may move it into another block.
      if (message === null || message.included?.slot === event.slot) continue;
      message.included = { slot: event.slot, timeMs: event.time };
    }
  }

  #onRequested({ pubkey, validatorIndex, time }: Named<"exit_requested">): void {
    this.requests.delete(pubkey);
    this.requests.set(pubkey, { pubkey, validatorIndex, timeMs: time, failure: null });
    dropOldest(this.requests, MAX_REQUESTS);
  }

  #onVerdict(event: VerdictEvent, timeMs: number): void {
    const { node, source, peerId, pubkey, messageIndex, result, code, elapsedMs } = event;
    this.#node(node);
    const from = peerId === null ? null : this.nameOf(peerId);
    const hop = { node, timeMs, source, from, result, code, elapsedMs };
    this.verdictCount++;
    this.verdicts.push({ ...hop, pubkey, messageIndex });
    if (this.verdicts.length > MAX_VERDICTS) this.verdicts.shift();
    this.#count(code, result, timeMs);
    if (pubkey === null || messageIndex === null) return;
    const message = this.#message(pubkey, messageIndex, timeMs);
    if (message.hops.length < MAX_HOPS) message.hops.push(hop);
  }

  #count(code: string, result: VerdictResult, timeMs: number): void {
    const key = `${code} ${result}`;
    const count = this.codes.get(key) ?? { code, result, total: 0, bins: new Map<number, number>() };
    this.codes.set(key, count);
    count.total++;
    const bin = Math.floor(timeMs / BIN_MS);
    count.bins.set(bin, (count.bins.get(bin) ?? 0) + 1);
    dropOldest(count.bins, 2 * BINS);
  }

  #onFinalized(name: string, epoch: number, timeMs: number): void {
    const node = this.#node(name);
    if (node !== null) node.finalizedEpoch = Math.max(node.finalizedEpoch ?? -1, epoch);
    const slots = this.network?.slotsPerEpoch;
    if (slots === undefined) return;
    for (const message of this.messages.values()) {
      // A checkpoint of an epoch finalizes the blocks up to the epoch's first slot.
      if (message.included !== null && message.included.slot <= epoch * slots) message.finalMs ??= timeMs;
    }
  }
}

/** Maps keep the order of insertion. */
function dropOldest<K>(map: Map<K, unknown>, limit: number): void {
  for (const key of map.keys()) {
    if (map.size <= limit) return;
    map.delete(key);
  }
}
