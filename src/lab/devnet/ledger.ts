/** What became of each message of a devnet run: kept from the events, read by the story's end and by `--once`. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import type { DevnetEvent, SpecimenFate, SpecimenKind, SpecimenRoute, SummaryNode } from "./events.ts";

interface ExitRecord {
  readonly validatorIndex: number;
  readonly pubkey: string;
  sentMs: number;
  slot: number | null;
  includedMs: number | null;
  exitEpoch: number | null;
}

interface BadRecord {
  readonly kind: SpecimenKind;
  readonly route: SpecimenRoute;
  readonly pubkey: string | null;
  /** Of a message that the contract holds: its index may change while blocks are taken back. */
  readonly transactionHash: string | null;
  /** Of what a hostile peer pushes. */
  readonly wireData: Uint8Array | null;
  readonly diedAt: Map<string, string>;
  /** Of what a hostile peer pushes. */
  forwarded: boolean;
}

type Verdict = Extract<DevnetEvent, { event: "verdict" }>;

export class Ledger {
  readonly #exits = new Map<string, ExitRecord>();
  readonly #bad: BadRecord[] = [];
  /** Blocks that named a pubkey, by pubkey; one validator can be in one canonical block only. */
  readonly #inclusions = new Map<string, Set<string>>();
  /** The transaction behind a message index, by node: of what the node formed of it last. */
  readonly #formed = new Map<string, string>();
  /** What each node said of what it formed, by transaction and node. It may do so before `expectDeath` is called. */
  readonly #formedRefusals = new Map<string, Map<string, string>>();
  /** Transactions whose message some node found valid. */
  readonly #formedAccepts = new Set<string>();
  /** Indices that a transaction's message had, with its pubkey; one, unless blocks were taken back. */
  readonly #formedMessages = new Map<string, Set<string>>();
  /** Messages that reached the observer, likewise. */
  readonly #observed = new Set<string>();
  #finalizedEpoch = -1;
  #acceptedPushed = 0;

  expectExit(validatorIndex: number, pubkey: string, sentMs: number): void {
    this.#exits.set(pubkey, { validatorIndex, pubkey, sentMs, slot: null, includedMs: null, exitEpoch: null });
  }

  /** A message to the contract that no node may let through. */
  expectDeath(kind: SpecimenKind, pubkey: string, transactionHash: string): void {
    this.#addBad({ kind, route: "contract", pubkey, transactionHash, wireData: null });
  }

  /** What a hostile peer is about to push into gossip. */
  expectPushed(kind: SpecimenKind, pubkey: string | null, wireData: Uint8Array): void {
    this.#addBad({ kind, route: "gossip", pubkey, transactionHash: null, wireData });
  }

  #addBad(record: Omit<BadRecord, "diedAt" | "forwarded">): void {
    this.#bad.push({ ...record, diedAt: new Map(), forwarded: false });
  }

  onIncluded(pubkeys: readonly string[], slot: number, blockRoot: string, nowMs: number): void {
    for (const pubkey of pubkeys) {
      const blocks = this.#inclusions.get(pubkey) ?? new Set();
      this.#inclusions.set(pubkey, blocks.add(blockRoot));
      const exit = this.#exits.get(pubkey);
      if (exit === undefined) continue;
      // A reorg may move an exit to another block: the last one told counts.
      exit.slot = slot;
      exit.includedMs ??= nowMs;
    }
  }

  onExitInitiated(pubkey: string, exitEpoch: number): void {
    const exit = this.#exits.get(pubkey);
    if (exit !== undefined) exit.exitEpoch = exitEpoch;
  }

  onFinalized(epoch: number): void {
    this.#finalizedEpoch = Math.max(this.#finalizedEpoch, epoch);
  }

  onFormed(node: string, messageIndex: string, pubkey: string, transactionHash: string): void {
    this.#formed.set(`${node} ${messageIndex}`, transactionHash);
    const messages = this.#formedMessages.get(transactionHash) ?? new Set();
    this.#formedMessages.set(transactionHash, messages.add(messageKey(messageIndex, pubkey)));
  }

  onVerdict(verdict: Verdict, hostilePeerId: string | null): void {
    if (verdict.source === "execution") this.#onFormedVerdict(verdict);
    if (verdict.source === "gossip" && verdict.peerId === hostilePeerId) this.#onPushedVerdict(verdict);
  }

  #onFormedVerdict({ result, code, node, messageIndex }: Verdict): void {
    const transactionHash = this.#formed.get(`${node} ${messageIndex}`);
    if (transactionHash === undefined) return;
    if (result === "accept") {
      this.#formedAccepts.add(transactionHash);
      return;
    }
    const refusals = this.#formedRefusals.get(transactionHash) ?? new Map();
    this.#formedRefusals.set(transactionHash, refusals.set(node, code));
  }

  #onPushedVerdict({ result, code, node, pubkey }: Verdict): void {
    if (result === "accept") this.#acceptedPushed++;
    const record = this.#bad.find(
      ({ kind, wireData, pubkey: own, diedAt }) =>
        wireData !== null &&
        (own === pubkey || pubkey === null) &&
        !diedAt.has(node) &&
        expectedCodes(kind).includes(code),
    );
    record?.diedAt.set(node, code);
  }

  /** A message that reached the observer; `exit` is null where the bytes hold no operation. */
  onObserved(wireData: Uint8Array, exit: { pubkey: string; messageIndex: bigint } | null): void {
    if (exit !== null) this.#observed.add(messageKey(exit.messageIndex.toString(), exit.pubkey));
    for (const record of this.#bad) {
      if (record.wireData !== null && Buffer.compare(record.wireData, wireData) === 0) record.forwarded = true;
    }
  }

  get allIncluded(): boolean {
    return [...this.#exits.values()].every(({ slot }) => slot !== null);
  }

  /** A checkpoint of an epoch finalizes the blocks up to the epoch's first slot. */
  isFinal(slot: number | null): boolean {
    return slot !== null && slot <= this.#finalizedEpoch * SLOTS_PER_EPOCH;
  }

  get allFinal(): boolean {
    return [...this.#exits.values()].every(({ slot }) => this.isFinal(slot));
  }

  get allBadJudged(): boolean {
    return this.#bad.every((record) => this.#refusals(record).size > 0);
  }

  summary(apis: SummaryNode[]): Extract<DevnetEvent, { event: "summary" }> {
    const exits = [...this.#exits.values()];
    const bad = this.#bad.map((record) => this.#fate(record));
    const delays = exits.flatMap(({ sentMs, includedMs }) => (includedMs === null ? [] : [includedMs - sentMs]));
    delays.sort((a, b) => a - b);
    const reason = this.#failure(bad);
    return {
      event: "summary",
      ok: reason === null,
      reason,
      exits: exits.map(({ validatorIndex, pubkey, slot, exitEpoch }) => ({
        validatorIndex,
        pubkey,
        slot,
        exitEpoch,
        final: this.isFinal(slot),
      })),
      bad,
      txToInclusionMs: { median: delays[Math.floor(delays.length / 2)] ?? null, max: delays.at(-1) ?? null },
      apis,
    };
  }

  #failure(bad: readonly SpecimenFate[]): string | null {
    if (!this.allIncluded) return "Not every exit is in a block.";
    if (!this.allFinal) return "Not every exit is final.";
    if (
      this.#acceptedPushed > 0 ||
      this.#bad.some(({ transactionHash }) => this.#formedAccepts.has(transactionHash ?? ""))
    ) {
      return "A node accepted a bad message.";
    }
    const travelled = bad.find(({ forwarded }) => forwarded);
    if (travelled !== undefined) return `A node forwarded a bad message (${travelled.kind}).`;
    const packed = bad.find(({ inBlock }) => inBlock);
    if (packed !== undefined) return `A block holds a bad message (${packed.kind}).`;
    const unjudged = bad.find(({ diedAt }) => diedAt.length === 0);
    return unjudged === undefined ? null : `No node judged one of the bad messages (${unjudged.kind}).`;
  }

  #refusals({ transactionHash, diedAt }: BadRecord): ReadonlyMap<string, string> {
    return transactionHash === null ? diedAt : (this.#formedRefusals.get(transactionHash) ?? diedAt);
  }

  #isForwarded({ transactionHash, forwarded }: BadRecord): boolean {
    if (transactionHash === null) return forwarded;
    return [...(this.#formedMessages.get(transactionHash) ?? [])].some((message) => this.#observed.has(message));
  }

  #fate(record: BadRecord): SpecimenFate {
    const { kind, route, pubkey } = record;
    const blocks = pubkey === null ? 0 : (this.#inclusions.get(pubkey)?.size ?? 0);
    // The exit that it repeats is in a block rightly, once.
    const rightful = pubkey !== null && this.#exits.has(pubkey) ? 1 : 0;
    return {
      kind,
      route,
      pubkey,
      diedAt: [...this.#refusals(record)]
        .map(([node, code]) => ({ node, code }))
        .sort((a, b) => a.node.localeCompare(b.node)),
      forwarded: this.#isForwarded(record),
      inBlock: blocks > rightful,
    };
  }
}

function messageKey(messageIndex: string, pubkey: string): string {
  return `${messageIndex} ${pubkey}`;
}

/** The codes with which a bad message may die, for telling apart several about one validator. */
function expectedCodes(kind: SpecimenKind): readonly string[] {
  switch (kind) {
    case "unknown_pubkey":
      return ["UNKNOWN_VALIDATOR"];
    case "wrong_sender":
      return ["WRONG_SENDER"];
    case "already_exiting":
      // Which one depends on whether the root of the first message still lasts.
      return ["ALREADY_SEEN", "EXIT_INITIATED"];
    case "forged_proof":
      return ["UNKNOWN_ROOT", "FORGED_PROOF"];
    case "bad_count":
      return ["BAD_COUNT"];
    case "wrong_length":
      return ["WRONG_LENGTH"];
    case "bad_snappy":
      return ["BAD_SNAPPY"];
    case "exit":
      return [];
  }
}
