/** Who is connected with whom: pairs of node indices, the first of which dials. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { CodedError, errorMessage } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";

export type Link = readonly [number, number];

export interface Topology {
  readonly nodes: number;
  readonly links: readonly Link[];
}

const TopologyFile = z.strictObject({
  nodes: z.array(z.string().min(1)).min(2),
  links: z.array(z.tuple([z.string(), z.string()])).min(1),
});

export const NAMED_TOPOLOGIES = ["random", "ring", "star"] as const;
export type NamedTopology = (typeof NAMED_TOPOLOGIES)[number];

export function isNamedTopology(text: string): text is NamedTopology {
  return (NAMED_TOPOLOGIES as readonly string[]).includes(text);
}

/** About how many links `makeTopology` will make, and how many of them one node has at most. */
export function expectedLinks(
  name: NamedTopology,
  nodes: number,
  degree: number,
): { links: number; mostLinks: number } {
  if (name === "star") return { links: nodes - 1, mostLinks: nodes - 1 };
  const mostLinks = Math.min(degree, nodes - 1);
  return { links: Math.ceil((nodes * mostLinks) / 2), mostLinks };
}

/** @param degree connections a node: of `random` at least, of `ring` exactly (an even number); `star` has its own. */
export function makeTopology(name: NamedTopology, nodes: number, degree: number, random: Random): Topology {
  if (name === "star") return { nodes, links: range(nodes - 1).map((i) => [i + 1, 0]) };
  const links = name === "ring" ? ringLinks(nodes, degree) : randomLinks(nodes, degree, random);
  return { nodes, links };
}

function ringLinks(nodes: number, degree: number): Link[] {
  const reach = Math.max(1, Math.floor(Math.min(degree, nodes - 1) / 2));
  const pairs = new LinkSet();
  for (const i of range(nodes)) for (const step of range(reach)) pairs.add(i, (i + step + 1) % nodes);
  return pairs.links;
}

/** A ring over a random order, so that nobody is cut off, and random links until each node has its degree. */
function randomLinks(nodes: number, degree: number, random: Random): Link[] {
  const order = shuffle(range(nodes), random);
  const pairs = new LinkSet();
  for (const [k, i] of order.entries()) pairs.add(i, order[(k + 1) % nodes] as number);
  const wanted = Math.min(degree, nodes - 1);
  for (const i of order) {
    // Of some drawn, the one with the fewest links, so that degrees stay close to what was asked for.
    for (let tries = 0; pairs.degree(i) < wanted && tries < CANDIDATES * wanted; tries++) {
      const drawn = Array.from({ length: CANDIDATES }, () => random.below(nodes));
      pairs.add(
        i,
        drawn.reduce((best, other) => (pairs.degree(other) < pairs.degree(best) ? other : best)),
      );
    }
    for (const other of pairs.degree(i) < wanted ? shuffle(range(nodes), random) : []) {
      if (pairs.degree(i) < wanted) pairs.add(i, other);
    }
  }
  return pairs.links;
}

/** Looking at more would make degrees no more even that anybody could tell. */
const CANDIDATES = 8;

class LinkSet {
  readonly links: Link[] = [];
  readonly #known = new Set<string>();
  readonly #degrees = new Map<number, number>();

  degree(node: number): number {
    return this.#degrees.get(node) ?? 0;
  }

  /** False where it is known, or a self loop. */
  add(from: number, to: number): boolean {
    const key = from < to ? `${from}-${to}` : `${to}-${from}`;
    if (from === to || this.#known.has(key)) return false;
    this.#known.add(key);
    this.links.push([from, to]);
    for (const node of [from, to]) this.#degrees.set(node, this.degree(node) + 1);
    return true;
  }
}

/**
 * `{"nodes": ["a", "b", …], "links": [["a", "b"], …]}`. Throws a `CodedError`: `TOPOLOGY_UNREADABLE`, `TOPOLOGY_INVALID`.
 */
export async function readTopology(file: string): Promise<Topology> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const hint = `--topology takes ${NAMED_TOPOLOGIES.join(", ")} or a file`;
    throw new CodedError(
      "TOPOLOGY_UNREADABLE",
      `Cannot read ${file} (${errorMessage(error)}): ${hint}`,
      { file },
      error,
    );
  }
  return parseTopology(text, file);
}

export function parseTopology(text: string, file: string): Topology {
  const invalid = (problem: string) => new CodedError("TOPOLOGY_INVALID", `${file}: ${problem}`, { file });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`it is no JSON: ${errorMessage(error)}`);
  }
  const parsed = TopologyFile.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join(".")}: ${issue?.message}; write {"nodes": ["a", "b"], "links": [["a", "b"]]}`);
  }
  const { nodes: names, links } = parsed.data;
  const indices = new Map(names.map((name, index) => [name, index]));
  if (indices.size < names.length) {
    throw invalid(`a node is named twice: ${names.find((name, index) => indices.get(name) !== index)}`);
  }
  const pairs = new LinkSet();
  for (const [from, to] of links) {
    const unknown = [from, to].find((name) => !indices.has(name));
    if (unknown !== undefined) throw invalid(`a link names "${unknown}", which is no node`);
    if (from === to) throw invalid(`"${from}" is linked with itself`);
    if (!pairs.add(indices.get(from) as number, indices.get(to) as number)) {
      throw invalid(`"${from}" and "${to}" are linked twice`);
    }
  }
  const topology = { nodes: names.length, links: pairs.links };
  const island = unreachable(topology);
  if (island.length > 0) {
    throw invalid(
      `no message could reach all: ${island.length} of ${names.length} nodes are cut off from "${names[0]}", ` +
        `such as "${names[island[0] as number]}"`,
    );
  }
  return topology;
}

/** Nodes that node 0 cannot reach. */
export function unreachable({ nodes, links }: Topology): number[] {
  const neighbours = neighboursOf({ nodes, links });
  const reached = new Set([0]);
  for (const node of reached) for (const other of neighbours[node] ?? []) reached.add(other);
  return range(nodes).filter((node) => !reached.has(node));
}

export function neighboursOf({ nodes, links }: Topology): number[][] {
  const neighbours: number[][] = Array.from({ length: nodes }, () => []);
  for (const [a, b] of links) {
    neighbours[a]?.push(b);
    neighbours[b]?.push(a);
  }
  return neighbours;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

export function shuffle<T>(values: readonly T[], random: Random): T[] {
  const shuffled = [...values];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
