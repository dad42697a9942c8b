/** One node from near: its pool, what it has judged and how fast, and its peers with what the guard counts against each. */
import { card, h, setText, table, tiles } from "./dom.ts";
import { latencyChart } from "./latency_view.ts";
import { histogramOf, type Sample, sampleOf } from "./prometheus.ts";
import { shortPeerId } from "./text.ts";

export interface PeerOfApi {
  readonly peer_id: string;
  readonly agent: string | null;
  readonly direction: string;
  readonly state: string;
  readonly score: number;
  /** Full topics. */
  readonly mesh: readonly string[];
  readonly guard: Readonly<Record<string, number>>;
}

export interface NodePanel {
  readonly element: HTMLElement;
  set(metrics: readonly Sample[], peers: readonly PeerOfApi[], nameOf: (peerId: string) => string): void;
  setProblem(text: string): void;
}

const TOPIC = "triggered_exit";

/** Columns of what the guard counts, in their order; others follow. */
const GUARD_FIRST = ["messages", "frames", "bytes"] as const;

export function nodePanel(title: string, chooser: HTMLElement | null): NodePanel {
  const figures = tiles(["Pool", "Parked", "Peers", "Mesh", "Judged", "Hung up"]);
  const problem = h("p", { class: "problem", role: "status" });
  const checks = latencyChart("Time from receipt to verdict", "messages");
  let peers = peersTable([]);
  const peersBox = h("div", {}, peers.element);
  const element = card(
    title,
    ...(chooser === null ? [] : [chooser]),
    problem,
    figures.element,
    h("h3", {}, "Time from a message's arrival to its verdict"),
    checks.element,
    h("h3", {}, "Peers"),
    peersBox,
  );
  element.classList.add("wide");
  return {
    element,
    setProblem: (text) => setText(problem, text),
    set(metrics, list, nameOf) {
      setText(problem, "");
      setFigures(figures, metrics);
      const histogram = histogramOf(metrics, "msgbus_gossip_verdict_seconds", "topic", TOPIC);
      if (histogram.upper.length > 0) {
        const upperMs = histogram.upper.map((seconds) => seconds * 1_000);
        checks.set({ upperMs, counts: histogram.counts });
      }
      const kinds = guardKinds(list);
      if (kinds.join() !== peers.kinds.join()) {
        peers = peersTable(kinds);
        peersBox.replaceChildren(peers.element);
      }
      peers.set(list, nameOf);
    },
  };
}

function setFigures(figures: ReturnType<typeof tiles>, metrics: readonly Sample[]): void {
  const text = (name: string) => String(sampleOf(metrics, name) ?? "–");
  const sum = (name: string, topic?: string) =>
    metrics
      .filter((sample) => sample.name === name && (topic === undefined || sample.labels.topic === topic))
      .reduce((total, { value }) => total + value, 0);
  figures.set("Pool", text("msgbus_pool_triggered_exits"), "exits held, until their blocks are final");
  figures.set("Parked", text("msgbus_parked_triggered_exits"), "exits that wait for their root");
  figures.set("Peers", text("msgbus_peers"), "connected");
  figures.set("Mesh", String(sum("msgbus_mesh_peers", TOPIC)), "peers in the mesh of exits");
  figures.set("Judged", String(sum("msgbus_gossip_verdicts_total", TOPIC)), "exits that gossip brought");
  figures.set("Hung up", String(sum("msgbus_peer_disconnects_total")), "peers, by this node");
}

function guardKinds(peers: readonly PeerOfApi[]): string[] {
  const kinds = new Set(peers.flatMap(({ guard }) => Object.keys(guard)));
  const first = GUARD_FIRST.filter((kind) => kinds.has(kind));
  return [...first, ...[...kinds].filter((kind) => !first.some((one) => one === kind)).sort()];
}

function peersTable(kinds: readonly string[]) {
  const columns = ["Peer", "Agent", "Direction", "In mesh of exits", "Score"];
  const guard = kinds.map((kind) => `Guard: ${kind}`);
  const { element, set } = table(
    "Peers, their scores and what the guard has counted",
    [...columns, ...guard],
    ["Score", ...guard],
  );
  return {
    element,
    kinds,
    set(peers: readonly PeerOfApi[], nameOf: (peerId: string) => string) {
      set(
        peers.map((peer) => ({
          key: peer.peer_id,
          cells: [
            { text: shortPeerId(nameOf(peer.peer_id)), class: "code", title: peer.peer_id },
            peer.agent ?? "unknown",
            peer.direction,
            peer.mesh.some((topic) => topic.includes(`/${TOPIC}/`)) ? "yes" : "no",
            { text: peer.score.toFixed(1) },
            ...kinds.map((kind) => ({ text: String(Math.round(peer.guard[kind] ?? 0)) })),
          ],
        })),
      );
    },
  };
}
