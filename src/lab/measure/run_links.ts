/** A run's links: straight from node to node, or shaped by a process that they go through. */
import type { Clock } from "../../base/clock.ts";
import { socketAddress } from "../fuzz/sockets.ts";
import type { LinkMethods } from "./link_worker.ts";
import { isShaped, parseBandwidth, parseLatency, placeNodes, shapeOf } from "./links/model.ts";
import type { Place } from "./netns.ts";
import { type MeasureParams, randomFor } from "./params.ts";
import type { Link, Topology } from "./topology.ts";
import type { LinkUsage } from "./trace.ts";
import { WorkerProcess } from "./worker_process.ts";

export interface RunLinksDeps {
  /** Where links that are shaped have their ports. */
  readonly hub: Place;
  /** Where a node listens now. */
  addressOf(node: number): string;
  readonly clock: Clock;
}

export class RunLinks {
  readonly #params: MeasureParams;
  readonly #topology: Topology;
  readonly #deps: RunLinksDeps;
  #worker: WorkerProcess<LinkMethods> | null = null;
  /** To be dialed in place of the nodes. */
  #ports: ReadonlyMap<Link, number> = new Map();

  constructor(params: MeasureParams, topology: Topology, deps: RunLinksDeps) {
    this.#params = params;
    this.#topology = topology;
    this.#deps = deps;
  }

  /** When all nodes listen. */
  async open(): Promise<void> {
    if (!isShaped(this.#params)) return;
    const { latency, bandwidth, loss, seed } = this.#params;
    const { nodes, links } = this.#topology;
    const { hub, clock } = this.#deps;
    const model = parseLatency(latency);
    const cities = placeNodes(model, nodes, randomFor(seed, "cities"));
    this.#worker = new WorkerProcess<LinkMethods>("link_worker", clock, hub.enter);
    const ports = await this.#worker.call("open", {
      host: hub.host,
      links: links.map(([from, to]) => ({
        nodes: [from, to],
        shape: shapeOf(model, loss, cities === null ? null : [cities[from] as number, cities[to] as number]),
      })),
      uploadBytesPerMs: parseBandwidth(bandwidth),
      seed,
    });
    this.#ports = new Map(links.map((link, index) => [link, ports[index] as number]));
    await this.#aim(() => true);
  }

  /** The node has a new address. */
  async moved(node: number): Promise<void> {
    await this.#aim(([, to]) => to === node);
  }

  /** Tells shaped links where their dialed nodes listen. */
  async #aim(isMeant: (link: Link) => boolean): Promise<void> {
    await Promise.all(
      this.#topology.links.map(async (link, index) => {
        if (!isMeant(link)) return;
        const { host, port } = socketAddress(this.#deps.addressOf(link[1]));
        await this.#worker?.call("target", { link: index, host, port });
      }),
    );
  }

  /** What the first node of a link must dial to reach the other. */
  dialOf(link: Link): { readonly from: number; readonly address: string } {
    const [from, to] = link;
    const port = this.#ports.get(link);
    const address = this.#deps.addressOf(to);
    if (port === undefined) return { from, address };
    return { from, address: address.replace(/^\/ip4\/[^/]+\/tcp\/\d+\//, `/ip4/${this.#deps.hub.host}/tcp/${port}/`) };
  }

  async startUsage(): Promise<void> {
    await this.#worker?.call("startUsage", null);
  }

  /** Null where they are not shaped. */
  async usage(): Promise<LinkUsage | null> {
    return this.#worker === null ? null : this.#worker.call("usage", null);
  }

  /** Rejects where their process did not end. */
  async stop(): Promise<void> {
    await this.#worker?.stop();
  }
}
