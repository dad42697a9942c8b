/** The process that holds the links of a run. */
import { createHistogram } from "node:perf_hooks";
import { systemClock } from "../../base/clock.ts";
import { ShapedLink, Uplink } from "./links/link.ts";
import type { LinkShape } from "./links/model.ts";
import { randomFor } from "./params.ts";
import type { LinkUsage } from "./trace.ts";
import { serve } from "./worker_process.ts";

export interface LinkPlan {
  /** Of the node that dials, and of the one that is dialed. */
  readonly nodes: readonly [number, number];
  readonly shape: LinkShape;
}

export interface LinkSetup {
  /** Where the links listen. */
  readonly host: string;
  readonly links: readonly LinkPlan[];
  /** Of each node, bytes a millisecond; null: no limit. */
  readonly uploadBytesPerMs: number | null;
  readonly seed: number;
}

/** In microseconds: the histogram takes whole numbers from 1. */
const lateness = createHistogram();
const meter = {
  chunks: 0,
  retransmissions: 0,
  late: (ms: number) => lateness.record(Math.max(1, Math.round(ms * 1000))),
};
let links: ShapedLink[] = [];
let startedCpu = process.cpuUsage();

export const methods = {
  /** Resolves to the ports to dial, in the links' order. */
  async open({ host, links: plans, uploadBytesPerMs, seed }: LinkSetup): Promise<number[]> {
    const uplinks = new Map<number, Uplink>();
    const uplinkOf = (node: number) => {
      if (uploadBytesPerMs === null) return null;
      const uplink = uplinks.get(node) ?? new Uplink(uploadBytesPerMs);
      uplinks.set(node, uplink);
      return uplink;
    };
    links = plans.map(
      ({ nodes: [from, to], shape }) =>
        new ShapedLink(
          { shape, uplinks: [uplinkOf(from), uplinkOf(to)] },
          { clock: systemClock, random: randomFor(seed, `link ${from}-${to}`), meter },
        ),
    );
    return Promise.all(links.map((link) => link.listen(host)));
  },

  /** Where the dialed node of a link listens. */
  target({ link, host, port }: { link: number; host: string; port: number }): void {
    const shaped = links[link];
    if (shaped !== undefined) shaped.target = { host, port };
  },

  startUsage(_: null): void {
    startedCpu = process.cpuUsage();
    lateness.reset();
    meter.chunks = 0;
    meter.retransmissions = 0;
  },

  usage(_: null): LinkUsage {
    const { user, system } = process.cpuUsage(startedCpu);
    const lateMs = (percentile: number) => (meter.chunks === 0 ? 0 : lateness.percentile(percentile) / 1000);
    return {
      cpuMs: (user + system) / 1000,
      chunks: meter.chunks,
      retransmissions: meter.retransmissions,
      lateP50Ms: lateMs(50),
      lateP99Ms: lateMs(99),
      lateMaxMs: meter.chunks === 0 ? 0 : lateness.max / 1000,
    };
  },

  close(_: null): void {
    for (const link of links) link.close();
  },
};
export type LinkMethods = typeof methods;

serve(methods);
