/**
 * The main job on one machine: an execution client, a network of our nodes as processes of their own, exits that must
 * get through and messages that must not, and an account of both.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { fromHex, toHex } from "@lodestar/utils";
import { untilAborted } from "../../base/abort.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { makeDirectory } from "../../base/files.ts";
import { silentLogger } from "../../base/log.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { type SentMessage, sendMessage } from "../../execution/contract.ts";
import { TRIGGERED_EXIT_TYPE } from "../../execution/form.ts";
import { JsonRpc } from "../../execution/json_rpc.ts";
import { proveExit } from "../../execution/prove.ts";
import { loadIdentity } from "../../network/identity.ts";
import { formatTopic } from "../../network/topics.ts";
import { MAX_TRIGGERED_EXITS } from "../../spec/preset.ts";
import { TriggeredExit } from "../../spec/types.ts";
import { getInteropKeys } from "../../state/interop_keys.ts";
import { decompressSnappyBlock } from "../../validation/snappy_block.ts";
import { type Anvil, anvilAccount, startAnvil } from "../anvil.ts";
import { type MadeNetwork, makeNetwork, WITHDRAWAL_ACCOUNTS, withdrawalAccountOf } from "../genesis.ts";
import { GossipPeer, type GossipPeerMessage } from "../gossip_peer.ts";
import type { DevnetEvent, DevnetEventSink, SpecimenKind } from "./events.ts";
import { forgeExit, hostileOperations } from "./hostile.ts";
import { Ledger } from "./ledger.ts";
import { NodeProcess } from "./node_process.ts";
import { EXITS_NOT_READY, ExitDesk } from "./page/exit_desk.ts";
import { type DevnetPage, startDevnetPage } from "./page/server.ts";
import { type PlannedMessage, planScenario, type Scenario } from "./scenario.ts";

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
const SEND_TIMEOUT_MS = 60_000;
const HOSTILE_CONNECT_TIMEOUT_MS = 15_000;
const POLL_MS = 100;

/** Epochs from the last exit's block to its finality: 2 to 3 when all is well, and as many again. */
const FINALITY_PATIENCE_EPOCHS = 6;

/** Gossipsub's D_low: a mesh is whole when a node has this many peers in it, or all there are. */
const MESH_PEERS = 6;

interface RunningNode {
  readonly name: string;
  readonly process: NodeProcess;
  readonly address: string;
  readonly apiUrl: string;
  pageUrl: string | null;
  peerId: string | null;
  /** By topic name. */
  readonly meshPeers: Map<string, number>;
}

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

class Devnet {
  readonly #options: DevnetOptions;
  readonly #deps: DevnetDeps;
  readonly #resources: AsyncDisposableStack;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  readonly #nodes: RunningNode[] = [];
  /** Events that every node tells, told once. */
  readonly #told = new Set<string>();
  #page: DevnetPage | null = null;
  #desk: ExitDesk | null = null;
  #observerPeerId: string | null = null;
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
    const keys = getInteropKeys(options.validators);
    const scenario = planScenario(
      keys.map(({ pubkey }) => pubkey),
      options.exits,
      WITHDRAWAL_ACCOUNTS,
      withdrawalAccountOf,
      this.#random,
    );
    const dir = await this.#makeDir();
    const anvil = await startAnvil({ mining: "manual" }, this.#deps.clock);
    this.#resources.defer(() => anvil.stop());
    await this.#startPage();
    const network = await this.#startNodes(dir, anvil);
    this.#desk = this.#createDesk(keys, scenario, anvil, network);
    await this.#waitForMesh();
    const observer = await this.#startObserver(network);
    await this.#waitForFork(network);
    this.#desk.open();

    const sent = await this.#sendMessages(anvil, network, scenario);
    await this.#until(() => this.#ledger.allIncluded, this.#inclusionTimeoutMs(), "the exits in a block").catch(
      (error) => this.#giveUp(error),
    );
    const again = await this.#send(anvil, network, "already_exiting", scenario.alreadyExiting);
    this.#ledger.expectDeath("already_exiting", "contract", toHex(scenario.alreadyExiting.pubkey), again.index);
    await this.#pushHostile(anvil, network, scenario, { ...sent, again });

    const epochMs = SLOTS_PER_EPOCH * options.secondsPerSlot * 1000;
    await this.#until(
      () => this.#ledger.allFinal && this.#ledger.allBadJudged,
      FINALITY_PATIENCE_EPOCHS * epochMs,
      "finality",
    ).catch((error) => this.#giveUp(error));
    const summary = this.#ledger.summary(this.#nodes.map(({ name, apiUrl }) => ({ node: name, url: apiUrl })));
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
      nodes: () => this.#nodes,
      otherPeers: () => {
        const peers = new Map<string, string>();
        if (this.#observerPeerId !== null) peers.set(this.#observerPeerId, "observer");
        if (this.#hostilePeerId !== null) peers.set(this.#hostilePeerId, "hostile");
        return peers;
      },
      requestExit: (choice) => this.#desk?.ask(choice) ?? EXITS_NOT_READY,
    });
    this.#resources.defer(() => page.stop());
    this.#page = page;
  }

  /** For exits that the page's form asks for, beside those of the scenario. */
  #createDesk(
    keys: readonly { pubkey: Uint8Array }[],
    { exits, wrongSender }: Scenario,
    anvil: Anvil,
    network: MadeNetwork,
  ): ExitDesk {
    const reserved = [...exits, wrongSender].map(({ validatorIndex }) => validatorIndex ?? -1);
    return new ExitDesk({
      pubkeys: keys.map(({ pubkey }) => pubkey),
      reserved: new Set(reserved),
      accountOf: withdrawalAccountOf,
      send: (message) => this.#send(anvil, network, "exit", message),
      onEvent: (event) => this.#page?.tell(event, this.#deps.clock.nowMs()),
    });
  }

  async #makeDir(): Promise<string> {
    const { dir } = this.#options;
    if (dir === null) {
      const temporary = await mkdtemp(join(tmpdir(), "msgbus-devnet-"));
      this.#resources.defer(() => rm(temporary, { recursive: true, force: true }));
      return temporary;
    }
    try {
      await makeDirectory(dir);
      if ((await readdir(dir)).length === 0) return dir;
    } catch (error) {
      throw new CodedError(
        "DIR_UNWRITABLE",
        `Cannot use ${dir} (${errorMessage(error)}): give --dir an empty or new directory that may be written`,
        { dir },
        error,
      );
    }
    throw new CodedError("DIR_NOT_EMPTY", `${dir} is not empty: choose another --dir, or empty it first`, { dir });
  }

  async #startNodes(dir: string, anvil: Anvil): Promise<MadeNetwork> {
    const { nodes, validators, secondsPerSlot, forkEpoch, seed, entry } = this.#options;
    const networkDir = join(dir, "network");
    const ports = await freePorts(nodes * 2);
    const planned = await Promise.all(
      Array.from({ length: nodes }, async (_, i) => {
        const dataDir = join(dir, `node-${i}`);
        const { peerId } = await loadIdentity(dataDir);
        const listen = `/ip4/127.0.0.1/tcp/${ports[2 * i]}`;
        return {
          name: `node-${i}`,
          dataDir,
          listen,
          apiPort: ports[2 * i + 1] as number,
          address: `${listen}/p2p/${peerId}`,
        };
      }),
    );
    const network = await makeNetwork(
      {
        dir: networkDir,
        validators,
        secondsPerSlot,
        genesisDelayMs: GENESIS_DELAY_BASE_MS + GENESIS_DELAY_PER_NODE_MS * nodes,
        elUrl: anvil.url,
        contract: null,
        messageBusForkEpoch: forkEpoch,
        bootnodes: planned.map(({ address }) => address),
      },
      this.#deps.clock,
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
      forkEpoch,
      seed,
      pageUrl: this.#page?.url ?? null,
    });
    for (const [i, { name, dataDir, listen, apiPort, address }] of planned.entries()) {
      const args = ["node", "--json", "--network", networkDir, "--el-url", anvil.url, "--data-dir", dataDir];
      args.push("--listen", listen, "--api-port", String(apiPort));
      const own = validatorRange(i, nodes, validators);
      if (own !== null) args.push("--validators", own);
      const process = new NodeProcess(
        { name, args, logFile: join(dir, `${name}.log`), entry },
        {
          onEvent: (event) => this.#onNodeEvent(node, event),
          onExit: (reason, restarting) => {
            node.meshPeers.clear();
            this.#tell({ event: "node_exited", node: name, reason, restarting });
          },
        },
        this.#deps.clock,
      );
      const node: RunningNode = {
        name,
        process,
        address,
        apiUrl: `http://127.0.0.1:${apiPort}`,
        pageUrl: null,
        peerId: null,
        meshPeers: new Map(),
      };
      this.#nodes.push(node);
      process.start();
    }
    this.#resources.defer(() => Promise.all(this.#nodes.map((node) => node.process.stop())).then(() => {}));
    return network;
  }

  async #waitForMesh(): Promise<void> {
    await this.#until(() => this.#isMeshed("beacon_block"), READY_TIMEOUT_MS, "all nodes in one mesh");
    const nodes = this.#nodes.map(({ name, peerId, address, apiUrl, pageUrl }) => ({
      node: name,
      peerId: peerId ?? "",
      multiaddrs: [address],
      apiUrl,
      pageUrl,
    }));
    this.#tell({ event: "ready", nodes, pageUrl: this.#page?.url ?? null });
  }

  /** The first block of the fork, and the mesh that exits go through. */
  async #waitForFork({ genesisTime }: MadeNetwork): Promise<void> {
    const { forkEpoch, secondsPerSlot } = this.#options;
    const slot = Math.max(1, forkEpoch * SLOTS_PER_EPOCH);
    const untilSlotMs = (genesisTime + slot * secondsPerSlot) * 1000 - this.#deps.clock.nowMs();
    await this.#until(() => this.#headSlot >= slot, untilSlotMs + READY_TIMEOUT_MS, "the fork's first block");
    await this.#until(() => this.#isMeshed("triggered_exit"), READY_TIMEOUT_MS, "the mesh of triggered exits");
  }

  #isMeshed(topic: string): boolean {
    const wanted = Math.min(this.#nodes.length - 1, MESH_PEERS);
    return this.#nodes.every(({ peerId, meshPeers }) => peerId !== null && (meshPeers.get(topic) ?? 0) >= wanted);
  }

  /** Every node's gossip peer: whatever any of them forwards, it sees. */
  async #startObserver({ messageBusForkDigest }: MadeNetwork): Promise<GossipPeer> {
    const topic = formatTopic("triggered_exit", messageBusForkDigest);
    const observer = await GossipPeer.start("observer", [topic], (message) => this.#onObserved(message));
    this.#resources.defer(() => observer.stop());
    this.#observerPeerId = observer.peerId;
    for (const { address } of this.#nodes) await observer.connect(address);
    return observer;
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
  async #sendMessages(
    anvil: Anvil,
    network: MadeNetwork,
    scenario: Scenario,
  ): Promise<{ first: SentMessage; unknownPubkey: SentMessage; wrongSender: SentMessage }> {
    const sendExit = async (message: PlannedMessage) => {
      this.#ledger.expectExit(message.validatorIndex ?? -1, toHex(message.pubkey), this.#deps.clock.nowMs());
      return this.#send(anvil, network, "exit", message);
    };
    const sendBad = async (kind: SpecimenKind, message: PlannedMessage) => {
      const sent = await this.#send(anvil, network, kind, message);
      this.#ledger.expectDeath(kind, "contract", toHex(message.pubkey), sent.index);
      return sent;
    };
    const [exits, unknownPubkey, wrongSender] = await Promise.all([
      Promise.all(scenario.exits.map(sendExit)),
      sendBad("unknown_pubkey", scenario.unknownPubkey),
      sendBad("wrong_sender", scenario.wrongSender),
    ]);
    return { first: exits[0] as SentMessage, unknownPubkey, wrongSender };
  }

  readonly #sending = new Map<number, Promise<unknown>>();

  /** One account's transactions enter the pool one after another: each takes the next nonce. */
  async #send(anvil: Anvil, network: MadeNetwork, kind: SpecimenKind, message: PlannedMessage): Promise<SentMessage> {
    const { privateKey, address } = anvilAccount(message.account);
    const inPool = Promise.withResolvers<void>();
    const before = this.#sending.get(message.account);
    this.#sending.set(message.account, inPool.promise);
    await before;
    try {
      const sent = await sendMessage(
        anvil.url,
        privateKey,
        network.contract,
        { messageType: TRIGGERED_EXIT_TYPE, payload: message.pubkey },
        { clock: this.#deps.clock, timeoutMs: SEND_TIMEOUT_MS, onSent: () => inPool.resolve() },
      );
      this.#tell({
        event: "message_sent",
        kind,
        validatorIndex: message.validatorIndex,
        pubkey: toHex(message.pubkey),
        sender: address,
        transactionHash: sent.transactionHash,
        blockNumber: sent.blockNumber,
        messageIndex: sent.index.toString(),
      });
      return sent;
    } finally {
      inPool.resolve();
    }
  }

  /** A peer of the first node alone hands it what must die there. */
  async #pushHostile(
    anvil: Anvil,
    { contract, messageBusForkDigest }: MadeNetwork,
    scenario: Scenario,
    sent: { first: SentMessage; unknownPubkey: SentMessage; wrongSender: SentMessage; again: SentMessage },
  ): Promise<void> {
    const target = this.#nodes[0] as RunningNode;
    const rpc = new JsonRpc({ url: anvil.url }, { clock: this.#deps.clock, log: silentLogger });
    const prove = async ({ index }: SentMessage, blockNumber: number) =>
      (await proveExit({ contract, choice: { index }, fromBlock: 0, blockNumber }, rpc)).operation;
    const genuine = await prove(sent.first, sent.first.blockNumber);
    const victim = scenario.wrongSender;
    const withdrawalAddress = anvilAccount(withdrawalAccountOf(victim.validatorIndex ?? 0)).address;
    const operations = hostileOperations(
      {
        unknownPubkey: await prove(sent.unknownPubkey, sent.unknownPubkey.blockNumber),
        wrongSender: await prove(sent.wrongSender, sent.wrongSender.blockNumber),
        alreadyExiting: await prove(sent.first, sent.again.blockNumber),
        unsent: forgeExit(victim.pubkey, fromHex(withdrawalAddress), genuine, this.#random),
      },
      this.#random,
    );

    const topic = formatTopic("triggered_exit", messageBusForkDigest);
    const hostile = await GossipPeer.start("hostile", []);
    this.#resources.defer(() => hostile.stop());
    this.#hostilePeerId = hostile.peerId;
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

  #onNodeEvent(node: RunningNode, { time, ...event }: NodeEventLine): void {
    // The page shows every node's, at its time; the story tells once what all of them tell.
    if (event.event !== "ready") this.#page?.tell({ ...event, node: node.name }, time);
    switch (event.event) {
      case "ready":
        node.peerId = event.peerId;
        node.pageUrl = event.pageUrl;
        this.#tell({
          event: "node_ready",
          node: node.name,
          peerId: event.peerId,
          multiaddrs: event.multiaddrs,
          apiUrl: event.apiUrl,
          pageUrl: event.pageUrl,
        });
        return;
      case "mesh":
        node.meshPeers.set(event.topic, event.peers);
        break;
      case "topics":
        if (!this.#isNews(`topics ${event.forkDigest} ${event.topics.join()}`)) return;
        break;
      case "block":
        this.#headSlot = Math.max(this.#headSlot, event.slot);
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

  /** Grows by some entries an epoch, for as long as a person watches. */
  #isNews(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
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

  async #until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const { clock, signal } = this.#deps;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (!condition()) {
      if (signal.aborted) throw new CodedError("INTERRUPTED", "The devnet was asked to leave");
      if (clock.monotonicMs() >= deadlineMs) {
        throw new CodedError(
          "DEVNET_TIMEOUT",
          `Waited ${Math.round(timeoutMs / 1000)} s for ${what} in vain: the nodes' logs are in the devnet's directory (keep it with --dir)`,
          { what, timeoutMs },
        );
      }
      await sleep(clock, POLL_MS, signal);
    }
  }
}

type NodeEventLine = Parameters<ConstructorParameters<typeof NodeProcess>[1]["onEvent"]>[0];

/** An even share of the validators, as `--validators` takes it; null where there are fewer than nodes. */
function validatorRange(node: number, nodes: number, validators: number): string | null {
  const first = Math.floor((node * validators) / nodes);
  const end = Math.floor(((node + 1) * validators) / nodes);
  return end > first ? `${first}..${end - 1}` : null;
}

/** Ports that are free now; all are held until the last is found, so that none is found twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
