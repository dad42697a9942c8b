/** Who is connected to whom in the devnet, asked of each node's API. */
import { z } from "zod";

export interface LinkedNode {
  readonly name: string;
  readonly peerId: string | null;
  readonly apiUrl: string;
}

export interface Link {
  readonly source: string;
  readonly target: string;
  /** In each other's mesh of triggered exits. */
  readonly mesh: boolean;
}

/** A node that takes longer to answer has its links left out this time. */
export const NODE_TIMEOUT_MS = 2_000;

/** Below a node's API. */
export const PEERS_PATH = "/eth/v1/node/peers";

const peersAnswer = z.object({ data: z.array(z.object({ peer_id: z.string(), mesh: z.array(z.string()) })) });

/** The nodes' links among each other, and to the `others` that are named by peer id; each once, in a stable order. */
export async function readLinks(nodes: readonly LinkedNode[], others: ReadonlyMap<string, string>): Promise<Link[]> {
  const names = new Map(others);
  for (const { name, peerId } of nodes) if (peerId !== null) names.set(peerId, name);
  const links = new Map<string, Link>();
  await Promise.all(
    nodes.map(async ({ name, apiUrl }) => {
      for (const { peer_id, mesh } of await readPeers(apiUrl)) {
        const peer = names.get(peer_id);
        if (peer === undefined) continue;
        const [source = "", target = ""] = [name, peer].sort();
        const key = `${source} ${target}`;
        const inMesh = mesh.some((topic) => topic.includes("/triggered_exit/"));
        links.set(key, { source, target, mesh: inMesh || (links.get(key)?.mesh ?? false) });
      }
    }),
  );
  return [...links].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, link]) => link);
}

async function readPeers(apiUrl: string): Promise<z.infer<typeof peersAnswer>["data"]> {
  try {
    const response = await fetch(apiUrl + PEERS_PATH, { signal: AbortSignal.timeout(NODE_TIMEOUT_MS) });
    return peersAnswer.parse(await response.json()).data;
  } catch {
    // Starting, restarting, or busy: the page shows the node without links.
    return [];
  }
}
