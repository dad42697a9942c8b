/** The devnet's nodes, each a process of its own: their addresses, what they tell, whether they are in one mesh. */
import { createServer } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { loadIdentity } from "../../network/identity.ts";
import type { NodeEvent } from "../../node_events.ts";
import { NodeProcess } from "./node_process.ts";

/** Gossipsub's D_low: a mesh is whole when a node has this many peers in it, or all there are. */
const MESH_PEERS = 6;

export interface FleetOptions {
  readonly dir: string;
  readonly nodes: number;
  /** Shared out evenly among the nodes. */
  readonly validators: number;
  /** The `msgbus` entry that nodes are started from. */
  readonly entry: string;
}

export interface FleetNode {
  readonly name: string;
  /** A multiaddr with the peer id. */
  readonly address: string;
  readonly apiUrl: string;
  /** The rest is known once the node has told it. */
  readonly peerId: string | null;
  readonly pageUrl: string | null;
}

export interface FleetListener {
  /** `time`: Unix milliseconds. */
  onEvent(node: FleetNode, event: NodeEvent, time: number): void;
  onExit(node: FleetNode, reason: string, willRestart: boolean): void;
}

interface Member extends FleetNode {
  peerId: string | null;
  pageUrl: string | null;
  /** Arguments of `msgbus node`, beside those of the network. */
  readonly args: readonly string[];
  /** By topic name. */
  readonly meshPeers: Map<string, number>;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #listener: FleetListener;
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #processes: NodeProcess[] = [];

  /** Gives each node an identity and free ports, so that all can be each other's bootnodes. */
  static async plan(options: FleetOptions, listener: FleetListener, clock: Clock): Promise<Fleet> {
    const { dir, nodes, validators } = options;
    const ports = await freePorts(nodes * 2);
    const members = await Promise.all(
      Array.from({ length: nodes }, async (_, i): Promise<Member> => {
        const name = `node-${i}`;
        const dataDir = join(dir, name);
        const { peerId } = await loadIdentity(dataDir);
        const [gossipPort, apiPort] = ports.slice(2 * i);
        const listen = `/ip4/127.0.0.1/tcp/${gossipPort}`;
        const own = validatorRange(i, nodes, validators);
        return {
          name,
          address: `${listen}/p2p/${peerId}`,
          apiUrl: `http://127.0.0.1:${apiPort}`,
          peerId: null,
          pageUrl: null,
          meshPeers: new Map(),
          args: [
            ...["--data-dir", dataDir, "--listen", listen, "--api-port", String(apiPort)],
            ...(own === null ? [] : ["--validators", own]),
          ],
        };
      }),
    );
    return new Fleet(options, listener, clock, members);
  }

  private constructor(options: FleetOptions, listener: FleetListener, clock: Clock, members: readonly Member[]) {
    this.#options = options;
    this.#listener = listener;
    this.#clock = clock;
    this.#members = members;
  }

  get nodes(): readonly FleetNode[] {
    return this.#members;
  }

  start(networkDir: string, elUrl: string): void {
    const { dir, entry } = this.#options;
    for (const member of this.#members) {
      const { name } = member;
      const args = ["node", "--json", "--network", networkDir, "--el-url", elUrl, ...member.args];
      const listener = {
        onEvent: ({ time, ...event }: NodeEvent & { time: number }) => this.#onEvent(member, event, time),
        onExit: (reason: string, willRestart: boolean) => {
          member.meshPeers.clear();
          this.#listener.onExit(member, reason, willRestart);
        },
      };
      const process = new NodeProcess({ name, args, logFile: join(dir, `${name}.log`), entry }, listener, this.#clock);
      this.#processes.push(process);
      process.start();
    }
  }

  /** Whether each node runs, and has as many peers in the topic's mesh as it wants, or as there are. */
  isMeshed(topic: string): boolean {
    const wanted = Math.min(this.#members.length - 1, MESH_PEERS);
    return this.#members.every(({ peerId, meshPeers }) => peerId !== null && (meshPeers.get(topic) ?? 0) >= wanted);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  #onEvent(member: Member, event: NodeEvent, time: number): void {
    if (event.event === "ready") {
      member.peerId = event.peerId;
      member.pageUrl = event.pageUrl;
    } else if (event.event === "mesh") {
      member.meshPeers.set(event.topic, event.peers);
    }
    this.#listener.onEvent(member, event, time);
  }
}

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
