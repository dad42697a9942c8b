/** All nodes as a table: what the graph shows, in words. */
import { card, table } from "./dom.ts";
import type { Model } from "./model.ts";
import { byName } from "./text.ts";
import { type View, whenChanged } from "./view.ts";

/** Neighbours named in a cell. */
const NAMED = 12;

export function nodesView(): View {
  const columns = ["Node", "State", "Head slot", "Finalized epoch", "Mesh peers", "Connected to", "Its page"];
  const { element, set } = table("Nodes and their links", columns, ["Head slot", "Finalized epoch", "Mesh peers"]);
  const section = card("Nodes", element);
  section.classList.add("wide");
  return {
    element: section,
    update: whenChanged((model) => {
      const neighbours = neighboursOf(model);
      set(
        [...model.nodes.values()]
          .sort((a, b) => byName(a.name, b.name))
          .map((node) => ({
            key: node.name,
            cells: [
              node.name,
              node.isRunning ? { text: "running", class: "" } : { text: "not running", class: "reject" },
              { text: String(node.headSlot ?? "–") },
              { text: String(node.finalizedEpoch ?? "–") },
              { text: String(node.meshPeers ?? "–") },
              namesText(neighbours.get(node.name) ?? []),
              node.pageUrl === null ? "" : { text: `page of ${node.name}`, href: node.pageUrl },
            ],
          })),
      );
    }),
  };
}

function neighboursOf({ links }: Model): Map<string, string[]> {
  const neighbours = new Map<string, string[]>();
  const add = (from: string, to: string) => {
    const known = neighbours.get(from);
    if (known === undefined) neighbours.set(from, [to]);
    else known.push(to);
  };
  for (const { source, target } of links) {
    add(source, target);
    add(target, source);
  }
  return neighbours;
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(", ");
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
