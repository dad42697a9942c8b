/**
 * The main job on one machine: an execution client, a network of our nodes as processes of their own, exits that must
 * get through and messages that must not, and an account of both.
 */
import { join } from "node:path";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { toHex } from "@lodestar/utils";
import { untilAborted } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import type { SentMessage } from "../../execution/contract.ts";
import { formatTopic } from "../../network/topics.ts";
import type { NodeEvent } from "../../node_events.ts";
import { MAX_TRIGGERED_EXITS } from "../../spec/preset.ts";
import { TriggeredExit } from "../../spec/types.ts";
import { getInteropKeys } from "../../state/interop_keys.ts";
import { decompressSnappyBlock } from "../../validation/snappy_block.ts";
import { type Anvil, startAnvil } from "../anvil.ts";
import { scrape } from "../fuzz/scrape.ts";
import { type MadeNetwork, makeNetwork, WITHDRAWAL_ACCOUNTS, withdrawalAccountOf } from "../genesis.ts";
import { GossipPeer, type GossipPeerMessage } from "../gossip_peer.ts";
import { makeDevnetDir } from "./directory.ts";
import type { DevnetEvent, DevnetEventSink, SpecimenKind, SummaryNode } from "./events.ts";
import { Fleet, type FleetNode } from "./fleet.ts";
import { type HostileOperation, hostileOperations, proveMaterial, type SentSpecimens } from "./hostile.ts";
import { Ledger } from "./ledger.ts";
import { MessageSender } from "./message_sender.ts";
import { EXITS_NOT_READY, ExitDesk } from "./page/exit_desk.ts";
import { type DevnetPage, startDevnetPage } from "./page/server.ts";
import { type PlannedMessage, planScenario, type Scenario } from "./scenario.ts";
import { waitUntil } from "./wait_until.ts";

export interface DevnetOptions {
  readonly nodes: number;
  readonly validators: number;
  readonly secondsPerSlot: number;
  readonly exits: number;
  /** MESSAGE_BUS_FORK_EPOCH: the chain is Fulu's before it, and messages are sent once it has crossed the fork. */
  readonly forkEpoch: number;
  /** Null uses a temporary directory, which is removed at the end. */
  readonly dir: string | null;
  readonly seed: number;
  /** Leave when the exits are final, instead of when asked to. */
  readonly once: boolean;
  /** Of the live page; 0 takes any free one, null serves none. */
  readonly pagePort: number | null;
  /** The `msgbus` entry that nodes are started from. */
  readonly entry: string;
}

export interface DevnetDeps {
  readonly clock: Clock;
  readonly onEvent: DevnetEventSink;
  /** Aborts when the user wants to leave. */
  readonly signal: AbortSignal;
}

/** A node loads its libraries in about 2 s of one core; two cores share all nodes. */
const GENESIS_DELAY_BASE_MS = 4_000;
const GENESIS_DELAY_PER_NODE_MS = 1_500;
const READY_TIMEOUT_MS = 60_000;
const HOSTILE_CONNECT_TIMEOUT_MS = 15_000;

/** Epochs from the last exit's block to its finality: 2 to 3 when all is well, and as many again. */
const FINALITY_PATIENCE_EPOCHS = 6;

/** Events remembered as told; nodes tell of the same within seconds. The oldest is forgotten, and could be told again. */
const MAX_TOLD = 4_096;

/** Runs until the exits are final (`once`) or the signal aborts; false where something went wrong, see the summary. */
export async function runDevnet(options: DevnetOptions, deps: DevnetDeps): Promise<boolean> {
  await using resources = new AsyncDisposableStack();
  const devnet = new Devnet(options, deps, resources);
  try {
    return await devnet.run();
  } catch (error) {
    // Leaving is no failure, whatever it interrupted.
    if (deps.signal.aborted) return true;
    throw error;
  }
}

async function nodeOfSummary({ name, apiUrl }: FleetNode): Promise<SummaryNode> {
  const { rssBytes } = await scrape(`${apiUrl}/metrics`);
  return { node: name, url: apiUrl, rssBytes };
}

class Devnet {
  readonly #options: DevnetOptions;
  readonly #deps: DevnetDeps;
  readonly #resources: AsyncDisposableStack;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  /** Events that every node tells, told once. */
  readonly #told = new Set<string>();
  #fleet: Fleet | null = null;
  #page: DevnetPage | null = null;
  #desk: ExitDesk | null = null;
  /** Peers that are no nodes, from peer id to name. */
  readonly #strangers = new Map<string, string>();
  #headSlot = -1;
  #hostilePeerId: string | null = null;
  #silent = false;

  constructor(options: DevnetOptions, deps: DevnetDeps, resources: AsyncDisposableStack) {
    this.#options = options;
    this.#deps = deps;
    this.#resources = resources;
    this.#random = seededRandom(options.seed);
  }

  async run(): Promise<boolean> {
    const options = this.#options;
    const { clock } = this.#deps;
    const keys = getInteropKeys(options.validators);
    const scenario = planScenario(
      keys.map(({ pubkey }) => pubkey),
      options.exits,
      WITHDRAWAL_ACCOUNTS,
      withdrawalAccountOf,
      this.#random,
    );
    const dir = await makeDevnetDir(options.dir, this.#resources);
    const anvil = await startAnvil({ mining: "manual" }, clock);
    this.#resources.defer(() => anvil.stop());
    await this.#startPage();
    const { fleet, network } = await this.#startNodes(dir, anvil);
    const sender = new MessageSender({
      elUrl: anvil.url,
      contract: network.contract,
      clock,
      signal: this.#deps.signal,
      onSent: (event) => this.#tell(event),
    });
    this.#desk = this.#createDesk(keys, scenario, sender);
    await this.#waitForMesh(fleet);
    const observer = await this.#startObserver(fleet, network);
    await this.#waitForFork(fleet, network);
    this.#desk.open();

    const sent = await this.#sendMessages(sender, scenario);
    await this.#until(() => this.#ledger.allIncluded, this.#inclusionTimeoutMs(), "the exits in a block").catch(
      (error) => this.#giveUp(error),
    );
    const again = await this.#sendBad(sender, "already_exiting", scenario.alreadyExiting);
    const material = await proveMaterial({ ...sent, again }, scenario.wrongSender, {
      elUrl: anvil.url,
      contract: network.contract,
      clock,
      random: this.#random,
    });
    await this.#pushHostile(fleet, network, hostileOperations(material, this.#random));

    const epochMs = SLOTS_PER_EPOCH * options.secondsPerSlot * 1000;
    await this.#until(
      () => this.#ledger.allFinal && this.#ledger.allBadJudged,
      FINALITY_PATIENCE_EPOCHS * epochMs,
      "finality",
    ).catch((error) => this.#giveUp(error));
    const summary = this.#ledger.summary(await Promise.all(fleet.nodes.map(nodeOfSummary)));
    this.#tell(summary);
    // The summary is the last word of a run that ends with it.
    this.#silent = options.once;
    if (!options.once) await untilAborted(this.#deps.signal);
    await observer.stop();
    return summary.ok;
  }

  async #startPage(): Promise<void> {
    const { pagePort } = this.#options;
    if (pagePort === null) return;
    const page = await startDevnetPage(pagePort, {
      clock: this.#deps.clock,
      nodes: () => this.#fleet?.nodes ?? [],
      strangers: () => this.#strangers,
      requestExit: (choice) => this.#desk?.ask(choice) ?? EXITS_NOT_READY,
    });
    this.#resources.defer(() => page.stop());
    this.#page = page;
  }

  /** For exits that the page's form asks for, beside those of the scenario. */
  #createDesk(
    keys: readonly { pubkey: Uint8Array }[],
    { exits, wrongSender }: Scenario,
    sender: MessageSender,
  ): ExitDesk {
    const reserved = [...exits, wrongSender].map(({ validatorIndex }) => validatorIndex ?? -1);
    return new ExitDesk({
      pubkeys: keys.map(({ pubkey }) => pubkey),
      reserved: new Set(reserved),
      accountOf: withdrawalAccountOf,
      send: (message) => sender.send("exit", message),
      onEvent: (event) => this.#page?.tell(event, this.#deps.clock.nowMs()),
    });
  }

  async #startNodes(dir: string, anvil: Anvil): Promise<{ fleet: Fleet; network: MadeNetwork }> {
    const { nodes, validators, secondsPerSlot, forkEpoch, seed, entry } = this.#options;
    const { clock } = this.#deps;
    const listener = {
      onEvent: (node: FleetNode, event: NodeEvent, time: number) => this.#onNodeEvent(node, event, time),
      onExit: ({ name }: FleetNode, reason: string, restarting: boolean) =>
        this.#tell({ event: "node_exited", node: name, reason, restarting }),
    };
    const fleet = await Fleet.plan({ dir, nodes, validators, entry }, listener, clock);
    this.#fleet = fleet;
    const networkDir = join(dir, "network");
    const network = await makeNetwork(
      {
        dir: networkDir,
        validators,
        secondsPerSlot,
        genesisDelayMs: GENESIS_DELAY_BASE_MS + GENESIS_DELAY_PER_NODE_MS * nodes,
        elUrl: anvil.url,
        contract: null,
        messageBusForkEpoch: forkEpoch,
        bootnodes: fleet.nodes.map(({ address }) => address),
      },
      clock,
    );
    this.#tell({
      event: "network",
      dir,
      elUrl: anvil.url,
      contract: network.contract,
      genesisTime: network.genesisTime,
      nodes,
      validators,
      secondsPerSlot,
      slotsPerEpoch: SLOTS_PER_EPOCH,
      forkEpoch,
      seed,
      pageUrl: this.#page?.url ?? null,
    });
    this.#resources.defer(() => fleet.stop());
    fleet.start(networkDir, anvil.url);
    return { fleet, network };
  }

  async #waitForMesh(fleet: Fleet): Promise<void> {
    await this.#until(() => fleet.isMeshed("beacon_block"), READY_TIMEOUT_MS, "all nodes in one mesh");
    const nodes = fleet.nodes.map(({ name, peerId, address, apiUrl, pageUrl }) => ({
      node: name,
      peerId: peerId ?? "",
      multiaddrs: [address],
      apiUrl,
      pageUrl,
    }));
    this.#tell({ event: "ready", nodes, pageUrl: this.#page?.url ?? null });
  }

  /** The first block of the fork, and the mesh that exits go through. */
  async #waitForFork(fleet: Fleet, { genesisTime }: MadeNetwork): Promise<void> {
    const { forkEpoch, secondsPerSlot } = this.#options;
    const slot = Math.max(1, forkEpoch * SLOTS_PER_EPOCH);
    const untilSlotMs = (genesisTime + slot * secondsPerSlot) * 1000 - this.#deps.clock.nowMs();
    await this.#until(() => this.#headSlot >= slot, untilSlotMs + READY_TIMEOUT_MS, "the fork's first block");
    await this.#until(() => fleet.isMeshed("triggered_exit"), READY_TIMEOUT_MS, "the mesh of triggered exits");
  }

  /** Every node's gossip peer: whatever any of them forwards, it sees. */
  async #startObserver(fleet: Fleet, { messageBusForkDigest }: MadeNetwork): Promise<GossipPeer> {
    const topic = formatTopic("triggered_exit", messageBusForkDigest);
    const observer = await GossipPeer.start("observer", [topic], (message) => this.#onObserved(message));
    this.#resources.defer(() => observer.stop());
    this.#nameStranger(observer.peerId, "observer");
    for (const { address } of fleet.nodes) await observer.connect(address);
    return observer;
  }

  #nameStranger(peerId: string, name: string): void {
    this.#strangers.set(peerId, name);
    this.#page?.tell({ event: "stranger", name, peerId }, this.#deps.clock.nowMs());
  }

  #onObserved({ data }: GossipPeerMessage): void {
    const ssz = decompressSnappyBlock(data);
    const exit = ssz?.length === TriggeredExit.fixedSize ? TriggeredExit.deserialize(ssz) : null;
    this.#ledger.onObserved(
      data,
      exit === null ? null : { pubkey: toHex(exit.data.pubkey), messageIndex: exit.messageBusSignal.messageIndex },
    );
  }

  /** All exits, and the bad messages that the contract takes like any other. */
  async #sendMessages(sender: MessageSender, scenario: Scenario): Promise<Omit<SentSpecimens, "again">> {
    const onSending = ({ validatorIndex, pubkey }: PlannedMessage) =>
      this.#ledger.expectExit(validatorIndex ?? -1, toHex(pubkey), this.#deps.clock.nowMs());
    const [exits, unknownPubkey, wrongSender] = await Promise.all([
      sender.sendAll("exit", scenario.exits, onSending),
      this.#sendBad(sender, "unknown_pubkey", scenario.unknownPubkey),
      this.#sendBad(sender, "wrong_sender", scenario.wrongSender),
    ]);
    return { first: exits[0] as SentMessage, unknownPubkey, wrongSender };
  }

  async #sendBad(sender: MessageSender, kind: SpecimenKind, message: PlannedMessage): Promise<SentMessage> {
    const sent = await sender.send(kind, message);
    this.#ledger.expectDeath(kind, toHex(message.pubkey), sent.transactionHash);
    return sent;
  }

  /** A peer of the first node alone hands it what must die there. */
  async #pushHostile(
    fleet: Fleet,
    { messageBusForkDigest }: MadeNetwork,
    operations: readonly HostileOperation[],
  ): Promise<void> {
    const target = fleet.nodes[0] as FleetNode;
    const topic = formatTopic("triggered_exit", messageBusForkDigest);
    const hostile = await GossipPeer.start("hostile", []);
    this.#resources.defer(() => hostile.stop());
    this.#hostilePeerId = hostile.peerId;
    this.#nameStranger(hostile.peerId, "hostile");
    await hostile.connect(target.address);
    await this.#until(
      () => hostile.subscribers(topic).length > 0,
      HOSTILE_CONNECT_TIMEOUT_MS,
      "the hostile peer's target",
    );
    for (const { kind, pubkey, wireData } of operations) {
      const hex = pubkey === null ? null : toHex(pubkey);
      this.#ledger.expectPushed(kind, hex, wireData);
      await hostile.publish(topic, wireData);
      this.#tell({ event: "operation_pushed", kind, pubkey: hex, node: target.name });
    }
  }

  #tell(event: DevnetEvent): void {
    this.#page?.tell(event, this.#deps.clock.nowMs());
    this.#tellStory(event);
  }

  #tellStory(event: DevnetEvent): void {
    if (!this.#silent) this.#deps.onEvent(event);
  }

  #onNodeEvent(node: FleetNode, event: NodeEvent, time: number): void {
    // The page shows every node's, at its time; the story tells once what all of them tell.
    if (event.event !== "ready") this.#page?.tell({ ...event, node: node.name }, time);
    switch (event.event) {
      case "ready":
        this.#tell({
          event: "node_ready",
          node: node.name,
          peerId: event.peerId,
          multiaddrs: event.multiaddrs,
          apiUrl: event.apiUrl,
          pageUrl: event.pageUrl,
        });
        return;
      case "topics":
        if (!this.#isNews(`topics ${event.forkDigest} ${event.topics.join()}`)) return;
        break;
      case "block":
        this.#headSlot = Math.max(this.#headSlot, event.slot);
        break;
      case "operation_formed":
        this.#ledger.onFormed(node.name, event.messageIndex, event.pubkey, event.transactionHash);
        break;
      case "verdict":
        this.#ledger.onVerdict({ ...event, node: node.name }, this.#hostilePeerId);
        break;
      case "included":
        this.#ledger.onIncluded(event.pubkeys, event.slot, event.blockRoot, this.#deps.clock.nowMs());
        if (!this.#isNews(`included ${event.blockRoot}`)) return;
        break;
      case "exit_initiated":
        this.#ledger.onExitInitiated(event.pubkey, event.exitEpoch);
        if (!this.#isNews(`exit ${event.pubkey} ${event.exitEpoch}`)) return;
        break;
      case "finalized":
        this.#ledger.onFinalized(event.epoch);
        if (!this.#isNews(`finalized ${event.epoch}`)) return;
        break;
    }
    this.#tellStory({ ...event, node: node.name });
  }

  #isNews(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    const oldest = this.#told.keys().next();
    if (this.#told.size > MAX_TOLD && !oldest.done) this.#told.delete(oldest.value);
    return true;
  }

  #inclusionTimeoutMs(): number {
    const blocks = Math.ceil(this.#options.exits / MAX_TRIGGERED_EXITS);
    return (3 * blocks + 2 * SLOTS_PER_EPOCH) * this.#options.secondsPerSlot * 1000;
  }

  /** What is missing stands in the summary. */
  #giveUp(error: unknown): void {
    if (!(error instanceof CodedError) || error.code !== "DEVNET_TIMEOUT") throw error;
  }

  #until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    return waitUntil(condition, timeoutMs, what, this.#deps);
  }
}
