/** Whether a run fits the machine, before it is begun: a network that starves half-way measures nothing. */
import { availableParallelism } from "node:os";
import { CodedError } from "../../base/errors.ts";

export interface Machine {
  readonly cores: number;
  readonly availableBytes: number;
  /** A process may open so many files. */
  readonly fileDescriptors: number;
}

export interface Demand {
  readonly nodes: number;
  readonly links: number;
  /** Of the node that has most. */
  readonly mostLinks: number;
  readonly isShaped: boolean;
}

/** A process without nodes: libraries and the state. Measured: 175 to 190 MB. */
const PROCESS_BYTES = 200e6;
/**
 * A node and its caches, and each end of its links with its streams. Measured: 25 nodes of 16 links take 400 MB under 1,000
 * deliveries a second, so 9 MB a node.
 */
const NODE_BYTES = 5e6;
const LINK_END_BYTES = 0.25e6;
/** Files, pipes and the loop's own. */
const PROCESS_FILES = 64;

/** One a core, each with two nodes at least. */
export function processCount({ cores }: Machine, nodes: number): number {
  return Math.max(1, Math.min(cores, Math.ceil(nodes / 2)));
}

export function readMachine(): Machine {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(userLimits?.open_files?.soft);
  return {
    cores: availableParallelism(),
    availableBytes: process.availableMemory(),
    fileDescriptors: Number.isFinite(limit) ? limit : Number.POSITIVE_INFINITY,
  };
}

function needs({ nodes, links, mostLinks, isShaped }: Demand, machine: Machine): { bytes: number; files: number } {
  const processes = processCount(machine, nodes);
  const linkEnds = 2 * links;
  // Of a star one process has the hub.
  const nodeFiles = PROCESS_FILES + mostLinks + Math.ceil((nodes + linkEnds - mostLinks) / processes);
  return {
    bytes: processes * PROCESS_BYTES + nodes * NODE_BYTES + linkEnds * LINK_END_BYTES,
    // A link is a port and two sockets in the process that shapes it.
    files: isShaped ? Math.max(nodeFiles, PROCESS_FILES + 3 * links) : nodeFiles,
  };
}

/** Throws a `CodedError` `TOO_MANY_NODES` that says how many fit. */
export function assertFits(demand: Demand, machine: Machine): void {
  const problem = problemOf(demand, machine);
  if (problem === null) return;
  const linksPerNode = demand.links / demand.nodes;
  const smaller = (nodes: number): Demand => ({
    ...demand,
    nodes,
    links: Math.ceil(nodes * linksPerNode),
    mostLinks: Math.min(demand.mostLinks, nodes - 1),
  });
  let fits = demand.nodes - 1;
  while (fits > 1 && problemOf(smaller(fits), machine) !== null) fits--;
  throw new CodedError(
    "TOO_MANY_NODES",
    `${demand.nodes} nodes do not fit here: ${problem}. With as many links each, ${fits} nodes fit`,
    { nodes: demand.nodes, fits },
  );
}

function problemOf(demand: Demand, machine: Machine): string | null {
  const { bytes, files } = needs(demand, machine);
  if (files > machine.fileDescriptors) {
    return `a process would open ${files} files and may open ${machine.fileDescriptors} (raise it with ulimit -n)`;
  }
  if (bytes > machine.availableBytes) {
    const mega = (value: number) => `${Math.round(value / 1e6)} MB`;
    return `they need ${mega(bytes)} of memory, of which ${mega(machine.availableBytes)} are free`;
  }
  return null;
}
